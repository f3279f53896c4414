// Elements made by code. Text becomes text nodes, never markup.

// Return an element. A property is a listener (`onclick`), a boolean or a text attribute;
// undefined, null and false leave it out. Children are nodes or text; null leaves one out.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

let numbered = 0;

// Return an id that no other element of the page has.
export function newId(prefix) {
  numbered += 1;
  return `${prefix}-${numbered}`;
}

// Return a label above a control, tied to it. The control gets an id if it has none.
export function labelled(text, control, properties = {}) {
  control.id ||= newId('field');
  return el('div', { class: 'field', ...properties }, el('label', { for: control.id }, text), control);
}

// Return a select with `options`, texts or pairs of a value and a text.
export function selectOf(options, value, properties = {}) {
  const select = el('select', properties);
  for (const option of options) {
    const [key, text] = Array.isArray(option) ? option : [option, option];
    select.append(el('option', { value: key }, text));
  }
  select.value = value;
  return select;
}

// Set the text of an element, but only if it differs: a live region would repeat it.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Return a number of things in words: `1 row`, `2 rows`.
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 || noun.endsWith('s') ? '' : 's'}`;
}
