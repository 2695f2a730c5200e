/** The language of the page: the address, else the browser. */

import type { Names } from './api';
import type { Language } from './format';
import { messages, type MessageKey } from './messages';
import { route } from './route.svelte';

function browserLanguage(): Language {
  for (const name of navigator.languages ?? [navigator.language]) {
    if (name.toLowerCase().startsWith('zh')) return 'zh';
    if (name.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

class I18n {
  private browser = browserLanguage();
  language: Language = $derived.by(() => {
    const chosen = route.query.get('lang');
    return chosen === 'zh' || chosen === 'en' ? chosen : this.browser;
  });
}

export const i18n = new I18n();

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** The text of a key in the language of the page. */
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return fill(messages[key][i18n.language === 'zh' ? 1 : 0], values);
}

/** The text of a key that the server names (a state, an event's kind, a test): the name itself where we have no word. */
export function word(group: string, name: string): string {
  const key = `${group}.${name}`;
  return key in messages ? t(key as MessageKey) : name.replaceAll('_', ' ');
}

/** What the server refused, in its own words, which are English: to a Chinese page what kind of thing it is says its code. */
export function refused(code: string, message: string): string {
  if (i18n.language === 'en') return message;
  const key = `refusal.${code}`;
  return t('error.refused', { what: t((key in messages ? key : 'refusal.nilometer_error') as MessageKey), message });
}

/** A name the server gives in both languages. */
export function named(names: Names | null | undefined, otherwise = ''): string {
  return names?.[i18n.language] || names?.en || otherwise;
}
