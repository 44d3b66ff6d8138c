// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { nullTranslator } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { ApiClient } from '../api/client';
import { ApiError } from '../api/client';
import type { FileEntry } from '../api/schema';
import { errorOf } from '../reason';
import { TRANSLATION_DOMAIN } from '../tokens';
import {
  base64Model,
  decodeText,
  fileModel,
  folderModel,
  mimeType,
  resolveLink
} from './models';
import { newestCommits, olderCommits, workspacesModel } from './moments';
import type { IFrozenPath } from './paths';
import {
  DRIVE_NAME,
  decodeWorkspace,
  parseLocalPath,
  parseRange,
  toLocalPath
} from './paths';

/**
 * How many links are followed before they are taken for a circle.
 */
const MAX_LINKS = 16;

/**
 * A drive on which the files of commits are read and nothing is ever written.
 *
 * #### Notes
 * Paths are described in `paths.ts`.
 */
export class FrozenDrive implements Contents.IDrive {
  /**
   * Create a drive.
   */
  constructor(options: FrozenDrive.IOptions) {
    this._client = options.client;
    this._workspaces = options.workspaces ?? (() => []);
    this._trans = options.trans ?? nullTranslator.load(TRANSLATION_DOMAIN);
    this.serverSettings = options.client.serverSettings;
  }

  /**
   * The name of the drive.
   */
  readonly name = DRIVE_NAME;

  /**
   * The server's address and how to talk to it.
   */
  readonly serverSettings: ServerConnection.ISettings;

  /**
   * Never emitted, since what is frozen does not change.
   */
  get fileChanged(): ISignal<this, Contents.IChangedArgs> {
    return this._fileChanged;
  }

  /**
   * Whether the drive has been disposed.
   */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /**
   * Dispose of the drive.
   */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /**
   * Read a file or folder of a commit.
   *
   * @throws A response error, as the callers of drives expect.
   */
  async get(
    localPath: string,
    options: Contents.IFetchOptions = {}
  ): Promise<Contents.IModel> {
    try {
      const [workspace, commit] = localPath
        .replace(/^\/+|\/+$/g, '')
        .split('/');
      if (!workspace) {
        return workspacesModel(this._workspaces(), this._trans);
      }
      const root = decodeWorkspace(workspace);
      if (!commit) {
        return await newestCommits(this._client, root, this._trans);
      }
      const range = parseRange(commit);
      return range
        ? await olderCommits(this._client, root, range)
        : await this._entry(parseLocalPath(localPath), localPath, options);
    } catch (reason) {
      throw toResponseError(reason);
    }
  }

  /**
   * The address under which a browser gets a file's bytes.
   */
  async getDownloadUrl(localPath: string): Promise<string> {
    const { workspace, commit, path } = parseLocalPath(localPath);
    const url = this._client.fileUrl(workspace, commit, path);
    // a JupyterHub wants the token also where a link or an image asks
    const match = documentCookie().match(/\b_xsrf=([^;]*)\b/);
    if (!match) {
      return url;
    }
    return `${url}${url.includes('?') ? '&' : '?'}_xsrf=${encodeURIComponent(match[1])}`;
  }

  /**
   * Refused.
   */
  newUntitled(): Promise<Contents.IModel> {
    return this._refuse();
  }

  /**
   * Refused.
   */
  delete(): Promise<void> {
    return this._refuse();
  }

  /**
   * Refused.
   */
  rename(): Promise<Contents.IModel> {
    return this._refuse();
  }

  /**
   * Refused.
   */
  save(): Promise<Contents.IModel> {
    return this._refuse();
  }

  /**
   * Refused.
   */
  copy(): Promise<Contents.IModel> {
    return this._refuse();
  }

  /**
   * Refused.
   */
  createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return this._refuse();
  }

  /**
   * There are none.
   */
  listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([]);
  }

  /**
   * Refused.
   */
  restoreCheckpoint(): Promise<void> {
    return this._refuse();
  }

  /**
   * Refused.
   */
  deleteCheckpoint(): Promise<void> {
    return this._refuse();
  }

  /**
   * Read a file or folder.
   */
  private async _entry(
    frozen: IFrozenPath,
    localPath: string,
    options: Contents.IFetchOptions
  ): Promise<Contents.IModel> {
    const withContent = options.content !== false;
    const found = await this._find(frozen);
    if (found === null || found.entry.kind === 'folder') {
      const folder = found ? found.path : frozen;
      if (options.type && options.type !== 'directory') {
        throw this._problem(
          400,
          this._trans.__('%1 is a folder, not a file.', frozen.path || '/')
        );
      }
      // the root has no entry of its own: that the commit exists shows in its list
      const children =
        withContent || found === null
          ? await this._list(folder, frozen, localPath)
          : null;
      return folderModel(
        localPath,
        withContent ? children : null,
        found?.entry.modified
      );
    }
    if (options.type === 'directory') {
      throw this._problem(
        400,
        this._trans.__('%1 is a file, not a folder.', frozen.path)
      );
    }
    const model = fileModel(localPath, found.entry, options);
    return withContent ? this._read(found.path, model, options) : model;
  }

  /**
   * Find the entry of a path, following links.
   *
   * @returns The entry and where it is, or null for the root of a commit.
   */
  private async _find(
    frozen: IFrozenPath,
    links = 0
  ): Promise<{ entry: FileEntry; path: IFrozenPath } | null> {
    if (frozen.path === '') {
      return null;
    }
    const folder = PathExt.dirname(frozen.path);
    const name = PathExt.basename(frozen.path);
    const list = await this._client.files(
      frozen.workspace,
      frozen.commit,
      folder
    );
    const entry = list.items.find(item => item.name === name);
    if (!entry) {
      throw this._problem(
        404,
        this._trans.__(
          'Commit %1 has no file %2.',
          frozen.commit.slice(0, 8),
          frozen.path
        )
      );
    }
    if (entry.kind !== 'symlink') {
      return { entry, path: frozen };
    }
    const target = resolveLink(folder, entry.target);
    if (target === null || links >= MAX_LINKS) {
      throw this._problem(
        404,
        this._trans.__(
          '%1 is a link to %2, which is not part of commit %3.',
          frozen.path,
          entry.target,
          frozen.commit.slice(0, 8)
        )
      );
    }
    return this._find({ ...frozen, path: target }, links + 1);
  }

  /**
   * List a folder.
   *
   * @param folder - Where it is
   * @param frozen - By which path it was asked for; another one where that is a link
   * @param localPath - The same as people see it, maybe with the time of the commit
   */
  private async _list(
    folder: IFrozenPath,
    frozen: IFrozenPath,
    localPath: string
  ): Promise<Contents.IModel[]> {
    const list = await this._client.files(
      folder.workspace,
      folder.commit,
      folder.path
    );
    return list.items.map(entry => {
      return entry.kind === 'folder'
        ? folderModel(`${localPath}/${entry.name}`, null, entry.modified)
        : fileModel(`${toLocalPath(frozen)}/${entry.name}`, entry, {});
    });
  }

  /**
   * Read a file's bytes into its model.
   */
  private async _read(
    frozen: IFrozenPath,
    model: Contents.IModel,
    options: Contents.IFetchOptions
  ): Promise<Contents.IModel> {
    const response = await this._client.readFile(
      frozen.workspace,
      frozen.commit,
      frozen.path
    );
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (options.format === 'base64') {
      return base64Model(model, bytes, response);
    }
    const text = decodeText(bytes);
    if (text === null) {
      if (options.format === undefined && model.type === 'file') {
        return base64Model(model, bytes, response);
      }
      throw this._problem(
        400,
        this._trans.__(
          '%1 is not text, so it cannot be shown here. Restore it to a new folder to open it with another program.',
          frozen.path
        )
      );
    }
    if (model.type === 'notebook') {
      return {
        ...model,
        format: 'json',
        mimetype: 'application/json',
        content: this._notebook(text, frozen.path)
      };
    }
    return {
      ...model,
      format: 'text',
      mimetype: mimeType(response, 'text/plain'),
      content: text
    };
  }

  /**
   * Read a notebook, with nothing in it trusted.
   */
  private _notebook(text: string, path: string): INotebook {
    let notebook: INotebook | null;
    try {
      notebook = JSON.parse(text) as INotebook | null;
    } catch {
      notebook = null;
    }
    if (typeof notebook !== 'object' || notebook === null) {
      throw this._problem(
        400,
        this._trans.__('%1 is not a notebook: its JSON cannot be read.', path)
      );
    }
    if (notebook.nbformat !== 4 || !Array.isArray(notebook.cells)) {
      throw this._problem(
        400,
        this._trans.__(
          '%1 is a notebook of an old format. Restore it to a new folder to open it.',
          path
        )
      );
    }
    // Trust is the server's to give when it reads a live notebook; what a file says of itself counts for nothing.
    for (const cell of notebook.cells) {
      if (cell.metadata && 'trusted' in cell.metadata) {
        delete cell.metadata.trusted;
      }
    }
    return notebook;
  }

  private _problem(status: number, message: string): ApiError {
    return new ApiError(status, 'frozen', message);
  }

  private _refuse(): Promise<never> {
    return Promise.reject(
      toResponseError(
        this._problem(
          403,
          this._trans.__(
            'Files of a commit are read-only. Make a scratch copy of one to work on it, or restore it to a new folder.'
          )
        )
      )
    );
  }

  private _client: ApiClient;
  private _workspaces: () => string[];
  private _trans: TranslationBundle;
  private _isDisposed = false;
  private _fileChanged = new Signal<this, Contents.IChangedArgs>(this);
}

/**
 * A namespace for `FrozenDrive` types.
 */
export namespace FrozenDrive {
  /**
   * What a drive needs.
   */
  export interface IOptions {
    /**
     * The API.
     */
    client: ApiClient;

    /**
     * The contents paths of the workspaces that the drive's root lists.
     */
    workspaces?: () => string[];

    /**
     * The translations.
     */
    trans?: TranslationBundle;
  }
}

interface INotebook {
  nbformat?: unknown;
  cells?: { metadata?: { trusted?: unknown } }[];
}

function documentCookie(): string {
  try {
    return document.cookie;
  } catch {
    // a sandboxed page has none
    return '';
  }
}

/**
 * Give an error the shape that the callers of drives look into (`error.response.status`).
 */
function toResponseError(reason: unknown): Error {
  if (reason instanceof ApiError && reason.status >= 400) {
    const { status, message } = reason;
    return new ServerConnection.ResponseError(
      new Response(null, { status, statusText: message.slice(0, 100) }),
      message
    );
  }
  return errorOf(reason);
}
