// Publishing a message from this node.

import { byId, setText } from "../dom.js";
import { count } from "../words.js";
import { short } from "../identity.js";

const MOST_BYTES = 131_072;
const MOST_TITLE = 200;
const encoder = new TextEncoder();

/** Makes the form work. `published(id)` is called with the id of what went out. */
export function publishForm(api, { published }) {
  const form = byId("publish");
  const [title, text, lifetime] = ["publish-title", "publish-text", "publish-lifetime"].map(byId);
  const result = byId("publish-result");
  const size = byId("publish-size");
  const button = byId("publish-button");
  const say = (words, isBad = false) => {
    setText(result, words);
    result.classList.toggle("bad", isBad);
  };
  const measure = () => {
    const used = encoder.encode(text.value).length;
    setText(size, used > MOST_BYTES / 2 ? `${used.toLocaleString("en")} of ${MOST_BYTES.toLocaleString("en")} bytes` : "");
  };
  text.addEventListener("input", measure);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    if (encoder.encode(title.value).length > MOST_TITLE) return say(`The title is too long: at most ${MOST_TITLE} bytes.`, true);
    if (encoder.encode(text.value).length > MOST_BYTES) return say(`The message is too long: at most ${MOST_BYTES} bytes.`, true);
    const body = { title: title.value, message: text.value };
    if (lifetime.value !== "") body.lifetime = Number(lifetime.value);
    button.disabled = true;
    say("Publishing …");
    try {
      const receipt = await api.post("/v1/publish", body);
      say(`Published ${short(receipt.id)}, handed to ${count(neighbours(receipt), "neighbour")}.`);
      text.value = "";
      measure();
      published(receipt.id);
    } catch (error) {
      say(error.status ? `Not published: ${error.message}` : "Not published: the node does not answer.", true);
    } finally {
      button.disabled = false;
    }
  });
}

function neighbours(receipt) {
  return Array.isArray(receipt.neighbours) ? receipt.neighbours.length : Number(receipt.neighbours ?? 0);
}
