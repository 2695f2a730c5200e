/** A document of the API on its way to the page: what is there, what went wrong, and how to try again. */

import { ApiError } from './api';

export class Loader<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  loading = $state(false);
  private running: AbortController | null = null;
  private last: ((signal: AbortSignal) => Promise<T>) | null = null;

  /** Runs `fetching`, giving up whatever was under way; data stay on screen until newer ones are there. */
  async load(fetching: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    this.last = fetching;
    this.loading = true;
    try {
      const data = await fetching(controller.signal);
      if (this.running !== controller) return null;
      this.data = data;
      this.error = null;
      return data;
    } catch (error) {
      if (this.running !== controller || controller.signal.aborted) return null;
      this.error = error instanceof ApiError ? error : new ApiError(0, 'unexpected', String(error));
      return null;
    } finally {
      if (this.running === controller) {
        this.loading = false;
        this.running = null;
      }
    }
  }

  retry = (): void => {
    if (this.last) void this.load(this.last);
  };

  cancel(): void {
    this.running?.abort();
    this.running = null;
  }
}
