// A text field with a list of suggestions, by the ARIA pattern of a combobox.

import { el, newId, setText } from './dom.js';

// Return `{element, input, setValue(text), close()}`.
//
// `suggest(text)` returns, also as a promise, `{options, note}`: options are `{value, parts}` with
// what is shown of each, and the note says how many there are. `onChoose(text)` gets an option's
// value, or the text as typed at Enter.
export function combobox({ label, suggest, onChoose, placeholder, className = '' }) {
  const list = el('ul', { role: 'listbox', id: newId('list'), 'aria-label': `Suggestions: ${label}` });
  const note = el('p', { class: 'note', role: 'status', id: newId('note') });
  const popup = el('div', { class: 'popup', hidden: true }, list, note);
  const input = el('input', {
    id: newId('combobox'), type: 'text', role: 'combobox', autocomplete: 'off', spellcheck: 'false',
    autocapitalize: 'off', placeholder, 'aria-autocomplete': 'list', 'aria-expanded': 'false',
    'aria-controls': list.id, 'aria-describedby': note.id,
    oninput: () => open(), onkeydown, onclick: () => open(), onblur: () => close(),
  });
  const element = el('div', { class: `field combobox ${className}` },
    el('label', { for: input.id }, label), input, popup);
  let options = [];
  let active = -1;
  let last = ''; // the value that was set
  let asked = 0; // later answers replace earlier ones, never the reverse

  async function open() {
    asked += 1;
    const mine = asked;
    let found;
    try {
      found = await suggest(input.value.trim());
    } catch (error) {
      if (mine === asked) {
        popup.hidden = false;
        setText(note, error.message);
      }
      return;
    }
    if (mine !== asked || document.activeElement !== input) return;
    options = found.options;
    active = -1;
    list.replaceChildren(...options.map((option, index) =>
      el('li', {
        role: 'option', id: `${list.id}-${index}`, 'aria-selected': 'false',
        // The field keeps the focus, so that its blur does not close the list before the click.
        onmousedown: (event) => event.preventDefault(),
        onclick: () => choose(option.value),
      }, ...option.parts)));
    list.hidden = options.length === 0;
    popup.hidden = false;
    input.setAttribute('aria-expanded', String(options.length > 0));
    input.removeAttribute('aria-activedescendant');
    setText(note, found.note);
  }

  function close() {
    asked += 1;
    popup.hidden = true;
    options = [];
    list.replaceChildren();
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    active = -1;
    setText(note, '');
  }

  function activate(index) {
    list.children[active]?.setAttribute('aria-selected', 'false');
    active = (index + options.length) % options.length;
    const chosen = list.children[active];
    chosen.setAttribute('aria-selected', 'true');
    chosen.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', chosen.id);
  }

  function choose(value) {
    input.value = value;
    close();
    onChoose(value);
  }

  function onkeydown(event) {
    const opened = options.length > 0;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const down = event.key === 'ArrowDown';
      if (opened) activate(active === -1 ? (down ? 0 : -1) : active + (down ? 1 : -1));
      else open();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      choose(opened && active >= 0 ? options[active].value : input.value.trim());
    } else if (event.key === 'Escape' && !popup.hidden) {
      event.preventDefault();
      close();
    }
  }

  return {
    element,
    input,
    close,
    // Show a value. What is being typed stays unless the value has become another.
    setValue(text) {
      if (text !== last) input.value = text;
      last = text;
    },
  };
}
