// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Debouncer } from '@lumino/polling';
import { Widget } from '@lumino/widgets';

/** How long typing must pause before the server is asked, in ms. */
const TYPING = 300;

/** How many lines of the list are seen. */
const LINES = 10;

/** What was chosen: one that was offered, or else what was typed. */
export interface IChosen {
  /** The moment as the server understands it; null where none of the list is chosen. */
  readonly ref: string | null;

  /** What was typed. */
  readonly typed: string;

  /** Moments that have the typed words. */
  readonly matching: readonly string[];
}

/**
 * A box to type in, and a list of what has the typed words.
 */
export class MomentBox extends Widget implements Dialog.IBodyWidget<IChosen> {
  /**
   * Create a box.
   *
   * @param options.offered - What is in the list at first: labels with what they stand for
   * @param options.search - Finds others by words
   * @param options.accept - Ends the dialog as its button does
   */
  constructor(options: {
    label: string;
    typed: string;
    note: string;
    offered: ReadonlyMap<string, string>;
    search: (words: string) => Promise<ReadonlyMap<string, string>>;
    accept: () => void;
    trans: TranslationBundle;
  }) {
    super();
    const { label, typed, note, offered, search, accept, trans } = options;
    this._offered = offered;
    this.addClass('jp-DotscienceMomentBox');
    const name = document.createElement('label');
    name.textContent = label;
    this._input = document.createElement('input');
    this._input.type = 'text';
    this._input.className = 'jp-mod-styled';
    this._input.placeholder = trans.__('An id, HEAD~3, run:… or words');
    this._input.value = typed;
    this._input.spellcheck = false;
    name.append(this._input);
    this._list = document.createElement('select');
    this._list.size = LINES;
    this._list.setAttribute('aria-label', trans.__('Runs and commits'));
    this._note = document.createElement('p');
    this._note.setAttribute('role', 'status');
    this._note.textContent = note;
    this.node.append(name, this._list, this._note);

    this._search = new Debouncer(async (words: string) => {
      const found = words ? await search(words) : new Map<string, string>();
      if (!this.isDisposed && words === this._words) {
        this._found = found;
        this._fill();
      }
    }, TYPING);
    this._input.addEventListener('input', () => {
      this._note.textContent = '';
      this._found = new Map();
      this._fill();
      this._search.invoke(this._words).catch(() => {
        // What is offered can be chosen all the same; opening says what is wrong.
      });
    });
    this._input.addEventListener('keydown', event => {
      if (event.key === 'ArrowDown' && this._list.options.length > 0) {
        event.preventDefault();
        this._list.focus();
        this._list.selectedIndex = Math.max(0, this._list.selectedIndex);
      }
    });
    this._list.addEventListener('dblclick', accept);
    this._fill();
  }

  /** What is chosen now. */
  getValue(): IChosen {
    return {
      ref: this._list.selectedIndex < 0 ? null : this._list.value,
      typed: this._words,
      matching: [...this._list.options].map(option => option.value)
    };
  }

  dispose(): void {
    this._search.dispose();
    super.dispose();
  }

  private get _words(): string {
    return this._input.value.trim();
  }

  /** Show what has all the words, then what the server found beside it. */
  private _fill(): void {
    const words = this._words.toLowerCase().split(/\s+/);
    const matching = [...this._offered].filter(([label]) =>
      words.every(word => label.toLowerCase().includes(word))
    );
    const shown = new Map([...matching, ...this._found]);
    this._list.replaceChildren(
      ...[...shown].map(([label, ref]) => {
        const option = document.createElement('option');
        option.value = ref;
        option.textContent = label;
        option.title = label;
        return option;
      })
    );
    // who types means what was typed, unless the list is gone to
    this._list.selectedIndex = this._words === '' ? 0 : -1;
  }

  private _found: ReadonlyMap<string, string> = new Map();
  private _input: HTMLInputElement;
  private _list: HTMLSelectElement;
  private _note: HTMLParagraphElement;
  private _offered: ReadonlyMap<string, string>;
  private _search: Debouncer<void, unknown, [string]>;
}
