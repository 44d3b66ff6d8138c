// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { FileBrowser } from '@jupyterlab/filebrowser';
import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

/** How long the file browser has to find the folder it showed before a reload, in ms. */
const RESTORE = 1000;

/** Name of the data attribute by which a tab of ours tells its workspace's contents path. */
export const WORKSPACE = 'dotscienceWorkspace';

/**
 * Tells which folder is at hand: that of the document at hand, else the file browser's.
 *
 * #### Notes
 * A tab of ours stands for its workspace. Documents of drives that are not the server's files (a
 * run's files of the past, for instance) leave the folder as it is.
 */
export class FolderFollower implements IDisposable {
  /**
   * Create a follower; nothing is told before `start`.
   *
   * @param options - What it follows
   */
  constructor(private readonly _options: FolderFollower.IOptions) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    const { shell, browser } = this._options;
    shell.currentChanged?.disconnect(this._update, this);
    browser?.model.pathChanged.disconnect(this._update, this);
    this._context?.pathChanged.disconnect(this._update, this);
    Signal.clearData(this);
  }

  /**
   * Begin to follow.
   *
   * @param restored - Resolves when the application has its tabs again
   */
  async start(restored: Promise<unknown>): Promise<void> {
    const { shell, browser } = this._options;
    await restored;
    if (browser) {
      // Some applications never restore their browser; then its folder is right already.
      await Promise.race([
        browser.model.restored,
        new Promise(resolve => setTimeout(resolve, RESTORE))
      ]);
    }
    if (this._isDisposed) {
      return;
    }
    shell.currentChanged?.connect(this._update, this);
    browser?.model.pathChanged.connect(this._update, this);
    this._update();
  }

  private _update(): void {
    const widget = this._options.shell.currentWidget;
    const context = widget
      ? this._options.documents?.contextForWidget(widget)
      : undefined;
    if (context !== this._context) {
      this._context?.pathChanged.disconnect(this._update, this);
      this._context = context;
      context?.pathChanged.connect(this._update, this);
    }
    const folder = this._folder(widget, context) ?? this._firstFolder();
    if (folder !== null) {
      this._told = true;
      this._options.onFolder(folder);
    }
  }

  private _folder(
    widget: Widget | null,
    context: DocumentRegistry.Context | undefined
  ): string | null {
    if (context) {
      const path = serverPath(this._options.contents, context.path);
      return path === null ? null : PathExt.dirname(path);
    }
    return widget?.node.dataset[WORKSPACE] ?? this._browsed();
  }

  /**
   * The folder to begin with where what is at hand names none: there is nothing to be left as it is.
   */
  private _firstFolder(): string | null {
    return this._told ? null : (this._browsed() ?? '');
  }

  private _browsed(): string | null {
    const { browser, contents } = this._options;
    return browser ? serverPath(contents, browser.model.path) : '';
  }

  private _context: DocumentRegistry.Context | undefined;
  private _isDisposed = false;
  private _told = false;
}

/**
 * A namespace for `FolderFollower` types.
 */
export namespace FolderFollower {
  /** What a follower follows. */
  export interface IOptions {
    /** The application's shell. */
    shell: JupyterFrontEnd.IShell;

    /** Knows the document of a tab. */
    documents: IDocumentManager | null;

    /** The file browser, where there is one. */
    browser: FileBrowser | null;

    /** Knows drives. */
    contents: Contents.IManager;

    /** Called with the contents path of the folder at hand. */
    onFolder: (path: string) => void;
  }
}

/**
 * The server's contents path of a path that may name a drive; null for other drives.
 *
 * #### Notes
 * Older versions of jupyter-collaboration show the server's files as the drive `RTC`.
 */
export function serverPath(
  contents: Contents.IManager,
  path: string
): string | null {
  const drive = contents.driveName(path);
  return drive === '' || drive === 'RTC' ? contents.localPath(path) : null;
}
