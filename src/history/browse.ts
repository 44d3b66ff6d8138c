// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { TranslationBundle } from '@jupyterlab/translation';
import { historyIcon } from '@jupyterlab/ui-components';
import { Panel, Widget } from '@lumino/widgets';

import type { CommitDetail } from '../api/schema';
import { DRIVE_NAME, toLocalPath } from '../drive/paths';
import { formatTime, shortId } from '../run/format';

/** The id of the panel. */
const ID = 'dotscience-commit-files';

/** How often its list is read anew, in ms: what it shows never changes. */
const NEVER = 24 * 3600 * 1000;

/**
 * The files of a commit in a file browser of their own, beside the user's.
 */
export class CommitBrowser extends Panel {
  /**
   * Create a panel; {@link show} shows a commit in it.
   *
   * @param factory - Makes file browsers
   * @param trans - The translations
   */
  constructor(
    factory: IFileBrowserFactory,
    private readonly _trans: TranslationBundle
  ) {
    super();
    this.id = ID;
    this.addClass('jp-DotscienceCommitFiles');
    this.title.icon = historyIcon;
    this.title.closable = true;
    this.node.setAttribute('role', 'region');
    this._line.addClass('jp-DotscienceCommitFiles-line');
    this._browser = factory.createFileBrowser(`${ID}-browser`, {
      driveName: DRIVE_NAME,
      auto: false,
      refreshInterval: NEVER,
      restore: false
    });
    const close = document.createElement('button');
    close.type = 'button';
    close.className = 'jp-DotscienceLink';
    close.textContent = _trans.__('Close');
    close.addEventListener('click', () => this.dispose());
    this._line.node.append(this._text, close);
    this.addWidget(this._line);
    this.addWidget(this._browser);
  }

  /** The id of the commit that is shown. */
  get commit(): string {
    return this._commit;
  }

  /** Contents path of its workspace. */
  get workspace(): string {
    return this._workspace;
  }

  /**
   * Show the files of a commit.
   *
   * @param workspace - Contents path of the workspace
   */
  async showCommit(workspace: string, detail: CommitDetail): Promise<void> {
    const { id, created, message } = detail;
    const trans = this._trans;
    this._commit = id;
    this._workspace = workspace;
    const asOf = trans.__(
      'Files as of %1 (%2)',
      formatTime(created),
      shortId(id)
    );
    const first = message.trim().split('\n', 1)[0];
    this.title.caption = asOf;
    this.node.setAttribute('aria-label', asOf);
    this._text.textContent = first ? `${asOf}: ${first}` : asOf;
    this._text.title = message;
    await this._browser.model.cd(
      `/${toLocalPath({ workspace, commit: id, path: '' })}`
    );
  }

  private _line = new Widget();
  private _text = document.createElement('span');
  private _browser: FileBrowser;
  private _commit = '';
  private _workspace = '';
}
