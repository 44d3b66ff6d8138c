// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import { Panel, Widget } from '@lumino/widgets';

import type { ApiClient } from '../api/client';
import { DRIVE_NAME, parseDrivePath, toLocalPath } from '../drive/paths';
import { firstLine, formatTime, shortId } from '../run/format';

/** The id of the panel. */
const ID = 'dotscience-commit-files';

/** The class by which context menus know it. */
export const COMMIT_FILES = 'jp-DotscienceCommitFiles';

/** How often its list is read anew, in ms: what it shows never changes. */
const NEVER = 24 * 3600 * 1000;

/**
 * The files of a commit in a file browser of their own, beside the user's.
 */
export class CommitBrowser extends Panel {
  /**
   * Create a panel; {@link showCommit} shows a commit in it.
   */
  constructor(options: CommitBrowser.IOptions) {
    super();
    const { factory, onRestore, trans } = options;
    this._client = options.client;
    this._trans = trans;
    this.id = ID;
    this.addClass(COMMIT_FILES);
    this.title.icon = historyIcon;
    this.title.closable = true;
    this.node.setAttribute('role', 'region');
    this._line.addClass(`${COMMIT_FILES}-line`);
    this._browser = factory.createFileBrowser(`${ID}-browser`, {
      driveName: DRIVE_NAME,
      auto: false,
      refreshInterval: NEVER,
      restore: false
    });
    this._restore = button(trans.__('Restore…'), onRestore);
    this._restore.title = trans.__(
      'Write what is chosen, or else all files as they were then, to a new folder'
    );
    this._line.node.append(
      this._text,
      this._restore,
      button(trans.__('Close'), () => this.dispose())
    );
    this.addWidget(this._line);
    this.addWidget(this._browser);
    this._browser.model.pathChanged.connect(this._onPathChanged, this);
  }

  /** The id of the commit that is shown; empty where none is. */
  get commit(): string {
    return this._commit;
  }

  /** Contents path of its workspace. */
  get workspace(): string {
    return this._workspace;
  }

  /** What is chosen, as paths in the commit. */
  get chosen(): string[] {
    const paths: string[] = [];
    for (const { path } of this._browser.selectedItems()) {
      const frozen = parseDrivePath(path);
      if (frozen?.path && frozen.commit === this._commit) {
        paths.push(frozen.path);
      }
    }
    return paths;
  }

  /**
   * Dispose of the panel.
   */
  dispose(): void {
    if (!this.isDisposed) {
      this._browser.model.pathChanged.disconnect(this._onPathChanged, this);
    }
    super.dispose();
  }

  /**
   * Show the files of a commit.
   *
   * @param workspace - Contents path of the workspace
   */
  async showCommit(
    workspace: string,
    commit: CommitBrowser.ICommit
  ): Promise<void> {
    this._name(workspace, commit);
    const path = toLocalPath(
      { workspace, commit: commit.id, path: '' },
      commit.created
    );
    await this._browser.model.cd(`/${path}`);
  }

  /**
   * Say which commit it is; null where the commits themselves are listed.
   */
  private _name(workspace: string, commit: CommitBrowser.ICommit | null): void {
    const trans = this._trans;
    this._commit = commit?.id ?? '';
    this._workspace = workspace;
    this._restore.hidden = commit === null;
    const asOf = commit
      ? trans.__(
          'Files as of %1 (%2)',
          formatTime(commit.created),
          shortId(commit.id)
        )
      : trans.__('Commits: open one to see its files');
    const first = firstLine(commit?.message ?? '');
    this.title.caption = asOf;
    this.node.setAttribute('aria-label', asOf);
    this._text.textContent = first ? `${asOf}: ${first}` : asOf;
    this._text.title = commit?.message ?? '';
  }

  /**
   * The user went on to other commits, by the bread crumbs or the list.
   */
  private async _onPathChanged(): Promise<void> {
    const frozen = parseDrivePath(this._browser.model.path);
    if (!frozen) {
      this._name(this._workspace, null);
      return;
    }
    const { commit, workspace } = frozen;
    if (commit === this._commit && workspace === this._workspace) {
      return;
    }
    this._name(workspace, null);
    this._commit = commit;
    try {
      const detail = await this._client.commitDetail(workspace, commit);
      if (!this.isDisposed && this._commit === commit) {
        this._name(workspace, detail);
      }
    } catch {
      // the list of its files says what is wrong
    }
  }

  private _browser: FileBrowser;
  private _client: Pick<ApiClient, 'commitDetail'>;
  private _commit = '';
  private _line = new Widget();
  private _restore: HTMLButtonElement;
  private _text = document.createElement('span');
  private _trans: TranslationBundle;
  private _workspace = '';
}

/**
 * A namespace for `CommitBrowser` types.
 */
export namespace CommitBrowser {
  /** What is told of a commit. */
  export interface ICommit {
    /** Its id. */
    id: string;

    /** When it was made. */
    created: string;

    /** Its message. */
    message: string;
  }

  /** What the panel needs. */
  export interface IOptions {
    /** Asks the server. */
    client: Pick<ApiClient, 'commitDetail'>;

    /** Makes file browsers. */
    factory: IFileBrowserFactory;

    /** Restores what is chosen. */
    onRestore: () => void;

    /** The translations. */
    trans: TranslationBundle;
  }
}

function button(label: string, onClick: () => void): HTMLButtonElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'jp-DotscienceLink';
  made.textContent = label;
  made.addEventListener('click', onClick);
  return made;
}
