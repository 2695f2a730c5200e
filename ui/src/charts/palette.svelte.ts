/** The colours of the style sheet for canvases; `revision` moves when the theme changes or the page goes to print. */

export interface Palette {
  ink: string;
  ink2: string;
  ink3: string;
  line: string;
  line2: string;
  surface: string;
  accent: string;
  amber: string;
  vermilion: string;
  grey: string;
  sans: string;
}

class Theme {
  revision = $state(0);
  private cached: Palette | null = null;

  constructor() {
    for (const query of ['(prefers-color-scheme: dark)', 'print']) {
      matchMedia(query).addEventListener('change', () => {
        this.cached = null;
        this.revision += 1;
      });
    }
  }

  get palette(): Palette {
    if (!this.cached) {
      const style = getComputedStyle(document.documentElement);
      const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
      this.cached = {
        ink: read('ink'),
        ink2: read('ink-2'),
        ink3: read('ink-3'),
        line: read('line'),
        line2: read('line-2'),
        surface: read('surface'),
        accent: read('accent'),
        amber: read('amber'),
        vermilion: read('vermilion'),
        grey: read('grey'),
        sans: read('sans'),
      };
    }
    return this.cached;
  }
}

export const theme = new Theme();
