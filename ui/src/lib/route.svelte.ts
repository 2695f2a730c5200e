/** The address bar is the state: page, Thing, Datastream, time, language and panels. */

export type Page = { name: 'overview' } | { name: 'calibration' } | { name: 'trials' } | { name: 'trial'; key: string } | { name: 'trial-plan'; key: string | null } | { name: 'thing'; key: string } | { name: 'datastream'; key: string } | { name: 'unknown' };

function pageOf(path: string): Page {
  const parts = path.split('/').filter(Boolean);
  const key = parts
    .slice(1)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    })
    .join('/');
  if (parts.length === 0 || path === '/index.html') return { name: 'overview' };
  if (parts[0] === 'calibration' && parts.length === 1) return { name: 'calibration' };
  if (parts[0] === 'trials' && parts.length === 1) return { name: 'trials' };
  if (parts[0] === 'trials' && key === 'new') return { name: 'trial-plan', key: null };
  if (parts[0] === 'trials' && parts.length === 3 && parts[2] === 'plan') return { name: 'trial-plan', key: parts[1] as string };
  if (parts[0] === 'trials' && parts.length === 2) return { name: 'trial', key };
  if (parts[0] === 'things' && key) return { name: 'thing', key };
  if (parts[0] === 'datastreams' && key) return { name: 'datastream', key };
  return { name: 'unknown' };
}

class Route {
  path = $state(location.pathname);
  query = $state.raw(new URLSearchParams(location.search));
  page = $derived(pageOf(this.path));

  constructor() {
    addEventListener('popstate', () => this.read());
    document.addEventListener('click', (event) => this.follow(event));
  }

  /** Changes parameters of this page's address; null takes one out. `push` makes it a step for the back button. */
  set(changes: Record<string, string | null>, push = false): void {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === '') query.delete(name);
      else query.set(name, value);
    }
    const text = query.toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
    if (text === location.search.slice(1)) return;
    history[push ? 'pushState' : 'replaceState'](null, '', `${this.path}${text ? `?${text}` : ''}`);
    this.query = query;
  }

  go(href: string): void {
    history.pushState(null, '', href);
    this.read();
    scrollTo(0, 0);
    document.getElementById('main')?.focus({ preventScroll: true });
  }

  /** The address of another page; the language chosen by hand goes along. */
  href(kind: 'things' | 'datastreams' | 'calibration' | 'trials' | '', key = '', parameters: Record<string, string | null> = {}): string {
    const path = kind ? `/${[kind, ...(key ? key.split('/') : [])].map(encodeURIComponent).join('/')}` : '/';
    const query = new URLSearchParams();
    const language = this.query.get('lang');
    if (language) query.set('lang', language);
    for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, value);
    const text = query.toString().replaceAll('%3A', ':').replaceAll('%2C', ',');
    return text ? `${path}?${text}` : path;
  }

  private read(): void {
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  private follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.('a');
    if (!link || link.target === '_blank' || link.hasAttribute('download')) return;
    const href = link instanceof SVGAElement ? link.href.baseVal : link.href;
    const url = new URL(href, location.href);
    if (url.origin !== location.origin || url.hash || /^\/(api|v1\.1|docs|health|metrics|openapi)/.test(url.pathname)) return;
    event.preventDefault();
    this.go(url.pathname + url.search);
  }
}

export const route = new Route();
