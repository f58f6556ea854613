// What the page remembers of somebody's taste from visit to visit. Never anything secret.

/** What was remembered under this name, or null. */
export function recall(name) {
  try {
    return localStorage.getItem(`sealnet-${name}`);
  } catch {
    return null;
  }
}

/** Remembers it, where the browser allows that. */
export function remember(name, value) {
  try {
    localStorage.setItem(`sealnet-${name}`, value);
  } catch {
    // Then it is forgotten.
  }
}
