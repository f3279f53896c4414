// The field for an expression, with completion.

import { counted, el, newId, setText } from '../dom.js';
import { AGGREGATIONS, DURATIONS, FUNCTIONS, KEYWORDS, contextAt } from './promql-words.js';
import { labelName, quoted, selector } from './selectors.js';

const MOST_SHOWN = 30;

// Return `{element, show(state), focus()}`. `range()` returns the range whose label values are
// offered.
export function promqlForm(catalog, state, range) {
  const list = el('ul', { role: 'listbox', id: newId('list'), 'aria-label': 'Completions' });
  const popup = el('div', { class: 'popup', hidden: true }, list);
  const note = el('p', { class: 'note', role: 'status', id: newId('note') },
    'Enter asks, Shift+Enter is a new line, Ctrl+Space completes.');
  const usual = note.textContent;
  const text = el('textarea', {
    id: newId('promql'), class: 'code', rows: 2, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off',
    'aria-autocomplete': 'list', 'aria-controls': list.id, 'aria-describedby': note.id,
    oninput: () => open(), onkeydown, onblur: () => close(),
  });
  const element = el('div', {},
    el('div', { class: 'row' },
      el('div', { class: 'field combobox grow' }, el('label', { for: text.id }, 'PromQL'), text, popup, note),
      el('button', { type: 'button', class: 'primary', onclick: () => ask() }, 'Ask')));
  let options = []; // {value, shown, facts, back}
  let context = null;
  let active = -1;
  let asked = 0;

  function ask() {
    close();
    state.update({ promql: text.value.trim() });
  }

  async function open({ always = false } = {}) {
    asked += 1;
    const mine = asked;
    const place = text.selectionStart;
    const found = contextAt(text.value, place);
    if (!always && found.text === '' && found.kind === 'word') return close();
    let completions = [];
    try {
      completions = await completionsOf(found);
    } catch (error) {
      setText(note, error.message);
      return undefined;
    }
    if (mine !== asked || document.activeElement !== text) return undefined;
    const exact = completions.length === 1 && completions[0].shown === found.text;
    options = exact ? [] : completions.slice(0, MOST_SHOWN);
    context = { ...found, place };
    list.replaceChildren(...options.map((option, index) =>
      el('li', { role: 'option', id: `${list.id}-${index}`, 'aria-selected': 'false',
        onmousedown: (event) => event.preventDefault(), onclick: () => insert(option) },
      el('span', { class: 'code' }, option.shown), el('span', { class: 'facts' }, option.facts ?? ''))));
    popup.hidden = options.length === 0;
    active = -1;
    if (options.length > 0) activate(0);
    setText(note, options.length === 0 ? usual : completions.length > options.length
      ? `${options.length} of ${completions.length} completions; Tab inserts` : `${counted(options.length, 'completion')}; Tab inserts`);
    return undefined;
  }

  function close() {
    asked += 1;
    popup.hidden = true;
    list.replaceChildren();
    active = -1;
    text.removeAttribute('aria-activedescendant');
    setText(note, usual);
  }

  function activate(index) {
    list.children[active]?.setAttribute('aria-selected', 'false');
    active = (index + options.length) % options.length;
    list.children[active].setAttribute('aria-selected', 'true');
    list.children[active].scrollIntoView({ block: 'nearest' });
    text.setAttribute('aria-activedescendant', list.children[active].id);
  }

  function insert(option) {
    text.setRangeText(option.value, context.from, context.place, 'end');
    const place = text.selectionStart - (option.back ?? 0);
    text.setSelectionRange(place, place);
    close();
    text.focus();
  }

  async function completionsOf({ kind, text: written, label, metric }) {
    const fits = (name) => name.toLowerCase().includes(written.toLowerCase());
    // What begins as written comes first, the shortest of these before all.
    const inOrder = (found, nameOf = (name) => name) => {
      const rank = (each) => (nameOf(each).startsWith(written) ? nameOf(each).length : Infinity);
      return written ? found.sort((one, other) => Math.sign(rank(one) - rank(other)) || 0) : found;
    };
    if (kind === 'word') {
      await catalog.all();
      const words = [...FUNCTIONS, ...AGGREGATIONS, ...KEYWORDS].filter(fits);
      const { found } = written ? await catalog.search(written) : { found: catalog.names };
      const named = words.map((word) => (KEYWORDS.includes(word)
        ? { value: word, shown: word, facts: 'keyword' }
        : { value: `${word}()`, shown: word, facts: AGGREGATIONS.includes(word) ? 'aggregation' : 'function', back: 1 }));
      const metrics = found.map((known) => {
        const value = selector(known.name, []);
        return { value, shown: known.name, facts: [known.type, known.unit].filter((fact) => fact && fact !== 'unknown').join(', '),
          back: value.endsWith('}') ? 1 : 0 };
      });
      return inOrder([...named, ...metrics], ({ shown }) => shown);
    }
    if (kind === 'metric') {
      const { found } = await catalog.search(written);
      return found.map(({ name }) => ({ value: escaped(name), shown: name }));
    }
    if (kind === 'label') {
      await catalog.all();
      const known = metric ? catalog.find(metric) : undefined;
      const names = known ? known.tags : [...new Set(catalog.names.flatMap(({ tags }) => tags))].sort();
      return inOrder(names.filter(fits)).map((name) => ({ value: labelName(name), shown: name }));
    }
    if (kind === 'value') {
      const values = await catalog.tagValues(metric, [], label, range());
      return inOrder(values.filter(fits)).map((value) => ({ value: escaped(value), shown: value }));
    }
    if (kind === 'duration') return DURATIONS.filter((each) => each.startsWith(written)).map((each) => ({ value: each, shown: each }));
    return [];
  }

  function onkeydown(event) {
    const opened = !popup.hidden;
    const { key } = event;
    if (key === ' ' && event.ctrlKey) open({ always: true });
    else if (opened && (key === 'ArrowDown' || key === 'ArrowUp')) activate(active + (key === 'ArrowDown' ? 1 : -1));
    else if (opened && key === 'Tab' && !event.shiftKey) insert(options[active]);
    else if (opened && key === 'Escape') close();
    else if (key === 'Enter' && !event.shiftKey) ask();
    else return;
    event.preventDefault();
  }

  let last = null;
  return {
    element,
    show({ promql }) {
      // What is being typed stays, unless the state has become another.
      if (promql !== last) text.value = promql;
      last = promql;
    },
    focus: () => text.focus(),
  };
}

function escaped(text) {
  return quoted(text).slice(1, -1);
}
