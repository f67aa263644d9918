// Making elements. Text only ever becomes text: nothing from outside is read as markup.
const $ = (id) => document.getElementById(id);

// A new element with classes, attributes and children; strings among the children are text.
function make(name, { class: classes, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  if (classes) element.className = classes;
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith("on")) element.addEventListener(attribute.slice(2), value);
    else if (value !== false) element.setAttribute(attribute, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

// The known cost, and what is not in it: $41.82 + 3 unpriced.
function costParts({ cost_nanousd: cost, unpriced }) {
  const missing = unpriced ? `${grouped(unpriced)} unpriced` : "";
  if (cost === null) return [make("span", { class: "unknown" }, missing || "unpriced")];
  const known = make("span", { class: "money" }, usd(cost));
  return missing ? [known, " ", make("span", { class: "unknown" }, `+ ${missing}`)] : [known];
}

const costWords = (sums) => costParts(sums).map((part) => part.textContent ?? part).join("");

// A share as a bar, of which the figure beside it says the same.
function gauge(fraction, state = "") {
  const filled = make("i");
  filled.style.width = `${Math.min(100, Math.max(0, fraction * 100))}%`;
  return make("span", { class: `gauge ${state}`, "aria-hidden": "true" }, filled);
}

// One dialog for all: its title, what is in it, and whoever had the focus gets it again.
function openDialog(title, content, { small = false } = {}) {
  const dialog = $("dialog");
  dialog.className = small ? "small" : "";
  const close = make("button", { type: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(
    make("header", {}, make("h2", { id: "dialog-title" }, title), close),
    make("div", { class: "inner" }, ...content),
  );
  if (!dialog.open) dialog.showModal();
  return dialog;
}
