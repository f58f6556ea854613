"use strict";
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const state = document.getElementById("state");
async function look() {
  try {
    const answer = await fetch("/v1/status", { headers: { Authorization: `Bearer ${token}` } });
    const status = await answer.json();
    state.textContent = answer.ok ? `node ${status.id.slice(0, 8)} of the network ${status.network}` : status.error;
    document.getElementById("status").textContent = JSON.stringify(status, null, 2);
  } catch {
    state.textContent = "the node cannot be reached: it has stopped, or was started again with another address";
  }
  setTimeout(look, 1000);
}
look();
