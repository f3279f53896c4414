// The fields of a query of one metric: name, tags, aggregator, and the tag to split by.

import { combobox } from '../combobox.js';
import { el, labelled, selectOf, setText } from '../dom.js';
import { AGGREGATORS, RAW, formatTag, parseTag } from './query.js';

const MOST_VALUES_SHOWN = 50;

// Return `{element, show(state), focus()}`. `range()` returns the range whose tag values are offered.
export function metricForm(catalog, state, range) {
  const about = el('p', { class: 'note about' });
  const hint = el('p', { class: 'note' });
  const metric = combobox({
    label: 'Metric', placeholder: 'Search by name or help', className: 'grow', suggest: suggestMetrics, onChoose: chooseMetric,
  });
  const tagName = combobox({
    label: 'Filter by tag', suggest: suggestTags, onChoose: () => tagValue.input.focus(),
  });
  const tagValue = combobox({ label: 'Value of the tag', suggest: suggestValues, onChoose: addTag });
  const tags = el('ul', { class: 'chips', 'aria-label': 'Filters' });
  const aggregator = selectOf([[RAW, 'none: the points'], ...AGGREGATORS], 'mean', {
    onchange: () => state.update({ aggregator: aggregator.value }),
  });
  const by = el('select', { onchange: () => state.update({ by: by.value }) });
  const element = el('div', {},
    el('div', { class: 'row' }, metric.element, labelled('Aggregator', aggregator), labelled('One series per', by)),
    about, hint,
    el('div', { class: 'row' }, tagName.element, tagValue.element,
      el('button', { type: 'button', onclick: () => addTag(tagValue.input.value.trim()) }, 'Add filter'), tags));

  async function suggestMetrics(text) {
    const { found, total } = await catalog.search(text);
    const none = catalog.names.length === 0 ? 'There are no metrics yet: nothing was published.' : 'No metric is found.';
    return {
      options: found.map((known) => ({ value: known.name, parts: metricParts(known) })),
      note: total === 0 ? none : total > found.length ? `${found.length} of ${total} are shown` : `${total} found`,
    };
  }

  function chooseMetric(name) {
    const { metric: before, by: split } = state.current;
    const known = catalog.find(name);
    const kept = known ? state.current.tags.filter((tag) => known.tags.includes(parseTag(tag).name)) : [];
    if (name === before) return;
    state.update({ metric: name, tags: kept, by: known?.tags.includes(split) ? split : '' });
  }

  async function suggestTags(text) {
    await catalog.all();
    const known = catalog.find(state.current.metric)?.tags ?? [];
    const found = known.filter((name) => name.toLowerCase().includes(text.toLowerCase()));
    return { options: found.map((name) => ({ value: name, parts: [name] })),
      note: state.current.metric ? `${found.length} found` : 'Choose a metric first' };
  }

  async function suggestValues(text) {
    const name = tagName.input.value.trim();
    if (!name || !state.current.metric) return { options: [], note: 'Choose a metric and a tag first' };
    const others = state.current.tags.map(parseTag).filter((tag) => tag.name !== name);
    const values = await catalog.tagValues(state.current.metric, others, name, range());
    const found = values.filter((value) => value.toLowerCase().includes(text.toLowerCase()));
    const shown = found.slice(0, MOST_VALUES_SHOWN);
    return { options: shown.map((value) => ({ value, parts: [value] })),
      note: found.length > shown.length ? `${shown.length} of ${found.length} are shown` : `${found.length} found` };
  }

  function addTag(value) {
    const name = tagName.input.value.trim();
    if (!name || !value) return;
    const others = state.current.tags.filter((tag) => parseTag(tag).name !== name);
    tagName.input.value = '';
    tagValue.input.value = '';
    tagName.input.focus();
    tagName.close();
    state.update({ tags: [...others, formatTag({ name, value })] });
  }

  function removeTag(tag) {
    state.update({ tags: state.current.tags.filter((each) => each !== tag) });
    tagName.input.focus();
    tagName.close();
  }

  function show(current) {
    const known = catalog.find(current.metric);
    metric.setValue(current.metric);
    aggregator.value = current.aggregator;
    const names = known?.tags ?? [];
    const offered = current.by && !names.includes(current.by) ? [...names, current.by] : names;
    by.replaceChildren(...[['', 'all together'], ...offered.map((name) => [name, name])]
      .map(([value, text]) => el('option', { value }, text)));
    by.value = current.by;
    tags.replaceChildren(...current.tags.map((tag) => {
      const { name, value } = parseTag(tag);
      return el('li', {}, `${name} = ${value} `,
        el('button', { type: 'button', 'aria-label': `Remove the filter ${name} = ${value}`,
          onclick: () => removeTag(tag) }, '×'));
    }));
    setText(about, known ? describe(known) : '');
    setText(hint, known?.type === 'counter' && current.metric
      ? 'A counter only grows. “Edit as PromQL” asks for its rate.' : '');
  }

  return { element, show, focus: () => metric.input.focus() };
}

function metricParts(known) {
  const facts = [known.type !== 'unknown' ? known.type : '', known.unit].filter(Boolean).join(', ');
  return [el('span', { class: 'code' }, known.name), el('span', { class: 'facts' }, facts),
    known.help ? el('span', { class: 'help' }, known.help) : null].filter(Boolean);
}

function describe(known) {
  const facts = [known.type !== 'unknown' ? known.type : '', known.unit ? `unit ${known.unit}` : ''].filter(Boolean).join(', ');
  const help = known.help ?? '';
  return [facts, help].filter(Boolean).join(': ');
}
