/** Water classes as China's reporting practice colours them; the letters always stand beside the colour. */

export interface WaterClass {
  key: string;
  letters: string;
  rank: number;
}

const LETTERS = ['Ⅰ', 'Ⅱ', 'Ⅲ', 'Ⅳ', 'Ⅴ'];
const ROMAN = ['I', 'II', 'III', 'IV', 'V'];

/** Reads "III", "Ⅲ" or "inferior V"; undefined for anything else, which has no colour. */
export function waterClass(text: string | null | undefined): WaterClass | undefined {
  if (!text) return undefined;
  const plain = text.trim();
  if (/^(inferior|劣|>|worse)/i.test(plain)) return { key: 'inferior', letters: '>V', rank: 6 };
  let index = ROMAN.indexOf(plain);
  if (index < 0) index = LETTERS.indexOf(plain.replace('类', ''));
  if (index < 0) return undefined;
  return { key: ROMAN[index] as string, letters: ROMAN[index] as string, rank: index + 1 };
}

/** "Class III" / "Ⅲ类", "Inferior to V" / "劣Ⅴ类". */
export function className(text: string | null | undefined, language: 'en' | 'zh'): string {
  const found = waterClass(text);
  if (!found) return text ?? '';
  if (found.key === 'inferior') return language === 'zh' ? '劣Ⅴ类' : 'Inferior to V';
  return language === 'zh' ? `${LETTERS[found.rank - 1]}类` : `Class ${found.letters}`;
}

/** The few letters that fit a ribbon's cell: "III" / "Ⅲ", ">V" / "劣Ⅴ". */
export function classLetters(text: string | null | undefined, language: 'en' | 'zh'): string {
  const found = waterClass(text);
  if (!found) return '';
  if (found.key === 'inferior') return language === 'zh' ? '劣Ⅴ' : '>V';
  return language === 'zh' ? (LETTERS[found.rank - 1] as string) : found.letters;
}
