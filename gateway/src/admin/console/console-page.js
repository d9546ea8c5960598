// Pages of text: a request's story, and the runbooks. Everything is put in as text, never as HTML.

export function element(name, said = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(said)) {
    if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

export function drawn(name, said = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(said)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function time(seconds) {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  return seconds < 1 ? `${(seconds * 1e3).toFixed(1)} ms` : `${seconds.toFixed(2)} s`;
}

/// What the flight recorder tells of a request.
export function story(told) {
  const error = told['error.type'];
  const page = told.runbook?.replace('runbooks/', '').replace('.md', '');
  const whole = told['weir.duration'] || 1e-9;
  const phases = (told.timeline ?? []).map((phase) => {
    const bar = drawn('svg', { viewBox: '0 0 1000 12', preserveAspectRatio: 'none', role: 'img' },
      drawn('rect', { x: 1000 * phase.at / whole, width: Math.max(3, 1000 * phase.took / whole), height: 12, class: phase.whose }));
    return element('div', { class: 'phase', title: `${phase.whose}: ${phase.what}` },
      element('span', { class: 'what' }, phase.what), bar, element('span', { class: 'took' }, time(phase.took)));
  });
  return [
    element('h1', {}, `${told['http.request.method']} ${told['url.path']}`),
    element('p', {}, `${told['http.response.status_code']} `,
      element('strong', { class: error ? 'bad' : 'good' }, error ?? 'nothing failed'),
      ` · route ${told['weir.route'] ?? 'none'} · ${time(told['weir.duration'])} · ${told.request_id}`),
    told.likely_cause && element('p', { class: 'cause' }, element('strong', {}, 'Likely cause: '), told.likely_cause),
    page && element('p', {}, 'What to do: ', element('a', { href: `#/runbook/${page}` }, page)),
    element('div', { class: 'phases' }, ...phases),
    (told.next ?? []).length > 0 && element('h2', {}, 'Look at'),
    ...(told.next ?? []).map((look) => element('pre', {}, look)),
    element('h2', {}, 'The whole story'),
    element('pre', { id: 'story' }, told.explanation ?? ''),
  ].filter(Boolean);
}

export function listed(pages) {
  const item = (page) => element('li', {}, element('a', { href: `#/runbook/${page.name}` }, page.name),
    element('span', { class: 'dim' }, page.title ? ` ${page.status}, ${page.fault}: ${page.title}` : ''));
  return [element('h1', {}, 'Runbooks'), element('ul', {}, ...pages.map(item))];
}

/// Markdown as the runbooks use it: headings, paragraphs, lists, tables and fenced blocks.
export function rendered(text) {
  const lines = text.split('\n');
  const out = [];
  let at = 0;
  const table = () => {
    const rows = [];
    while (lines[at]?.trim().startsWith('|')) rows.push(lines[at++].trim().replace(/^\||\|$/g, '').split('|'));
    const [head, , ...body] = rows;
    const row = (kind) => (cells) => element('tr', {}, ...cells.map((cell) => element(kind, {}, ...inline(cell.trim()))));
    return element('table', {}, element('thead', {}, row('th')(head)), element('tbody', {}, ...body.map(row('td'))));
  };
  const fence = (indent) => {
    const body = [];
    for (at++; at < lines.length && lines[at].trim() !== '```'; at++) body.push(lines[at].slice(indent));
    at++;
    return element('pre', {}, element('code', {}, body.join('\n')));
  };
  const item = /^(\s*)(?:[-*]|\d+\.) (.*)$/;
  // What belongs to an item is indented further than its mark.
  const list = (depth) => {
    const ordered = /^\s*\d+\./.test(lines[at]);
    const made = element(ordered ? 'ol' : 'ul');
    while (at < lines.length) {
      const match = item.exec(lines[at]);
      if (!match || match[1].length !== depth) break;
      at++;
      made.append(element('li', {}, ...block(depth + 2, match[2])));
    }
    return made;
  };
  const block = (depth, first) => {
    const found = [];
    let words = first ? [first] : [];
    const flush = () => { if (words.length) found.push(element('p', {}, ...inline(words.join(' ')))); words = []; };
    while (at < lines.length) {
      const line = lines[at];
      const indent = line.length - line.trimStart().length;
      if (line.trim() === '') { flush(); at++; continue; }
      if (indent < depth) break;
      const heading = /^(#+) (.*)$/.exec(line);
      if (line.trim().startsWith('```')) { flush(); found.push(fence(indent)); }
      else if (heading) { flush(); at++; found.push(element(`h${Math.min(6, heading[1].length)}`, {}, ...inline(heading[2]))); }
      else if (line.trim().startsWith('|')) { flush(); found.push(table()); }
      else if (item.test(line)) { flush(); found.push(list(indent)); }
      else { words.push(line.trim()); at++; }
    }
    flush();
    return found;
  };
  while (at < lines.length) out.push(...block(0));
  return out;
}

/// Code, links, bold and emphasis within a line.
function inline(text) {
  const out = [];
  const mark = /`([^`]+)`|\[([^\]]+)\]\(([^)]+)\)|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*/g;
  let last = 0;
  for (const found of text.matchAll(mark)) {
    out.push(text.slice(last, found.index));
    last = found.index + found[0].length;
    const [, code, label, target, bold, slanted] = found;
    if (code !== undefined) out.push(element('code', {}, code));
    else if (label !== undefined) out.push(link(label, target));
    else if (bold !== undefined) out.push(element('strong', {}, ...inline(bold)));
    else out.push(element('em', {}, slanted));
  }
  out.push(text.slice(last));
  return out;
}

/// Other pages open here; what is not on this address is only named.
function link(label, target) {
  const page = /^([a-z0-9_-]+)\.md$/i.exec(target);
  return page ? element('a', { href: `#/runbook/${page[1]}` }, ...inline(label)) : element('span', { title: target }, ...inline(label));
}
