// The token that the node printed with the address. It comes in the fragment, which a browser sends to nobody, leaves the
// address bar and the history at once, and is kept for this tab only, so that reloading works.

const KEY = "sealnet-token";

/** The token: from the address, or from before this tab was reloaded; null if there is none. */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    history.replaceState(null, "", location.pathname + location.search);
    remember(given);
    return given;
  }
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(token) {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // Storage is forbidden here: the token lives as long as the page.
  }
}
