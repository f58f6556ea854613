// Building the page's elements. There is one way to put text on the page: as a text node. Nothing here, or anywhere else
// in these files, makes markup out of a string.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. `attributes` may hold `on` (listeners by name) and `dataset`; an attribute
 * that is null, undefined or false is left out, true stands without a value. Children are nodes or strings.
 */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (key === "dataset") {
      Object.assign(element.dataset, value);
    } else {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element of the page with this id. It is part of index.html: where it is missing, the page is broken. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element #${id}`);
  return element;
}

/** Sets an element's text only where it changed, so that screen readers and selections are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` the elements for `items`, in their order. An element whose `key` and `stamp` are the same
 * as before stays as it is: it keeps focus and place. `make(item)` builds one.
 */
export function reconcile(parent, items, { key, stamp, make }) {
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  const hadFocus = parent.contains(document.activeElement) ? focusPath(parent) : null;
  let place = parent.firstElementChild;
  for (const item of items) {
    const itemKey = String(key(item));
    const itemStamp = String(stamp(item));
    let element = old.get(itemKey);
    old.delete(itemKey);
    if (!element || element.dataset.stamp !== itemStamp) {
      const fresh = make(item);
      fresh.dataset.key = itemKey;
      fresh.dataset.stamp = itemStamp;
      if (element) {
        if (place === element) place = fresh;
        element.replaceWith(fresh);
      }
      element = fresh;
    }
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const element of old.values()) element.remove();
  if (hadFocus && !parent.contains(document.activeElement)) restoreFocus(parent, hadFocus);
}

function focusPath(parent) {
  const row = [...parent.children].find((child) => child.contains(document.activeElement));
  if (!row) return null;
  return { key: row.dataset.key, index: focusable(row).indexOf(document.activeElement) };
}

function restoreFocus(parent, { key, index }) {
  const row = [...parent.children].find((child) => child.dataset.key === key);
  if (row) focusable(row)[Math.max(0, index)]?.focus({ preventScroll: true });
}

function focusable(row) {
  return [...row.querySelectorAll("button, a[href], input, [tabindex]")];
}
