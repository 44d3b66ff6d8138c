// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { HubProject, ProjectClone } from '../api/schema';
import { CommandIDs } from '../commands';
import { withProgress } from '../progress';
import { tellFailure } from '../reason';
import { asApiError } from '../request';
import type { ISyncParts } from './actions';
import { OTHER_HUB, askClone, isAddress } from './clonedialog';
import { logIn } from './connect';
import { needsLogin } from './words';

/** For how long good news is shown, in ms. */
const GOOD_NEWS = 5000;

/** Goes to a folder in the file browser; an application may have none. */
const GO_TO_PATH = 'filebrowser:go-to-path';

/** Which project, and where to. */
interface IWanted {
  address: string;
  folder: string;
}

/**
 * Make a new folder with a project of a hub, and go there; what goes wrong is told.
 *
 * @param args - `address` and `folder`; the user is asked for what lacks
 * @returns What came of it; null when nothing did
 */
export async function cloneProject(
  parts: ISyncParts,
  args: ReadonlyPartialJSONObject
): Promise<ProjectClone | null> {
  const { clones, trans } = parts;
  try {
    const begun = await begin(parts, {
      address: typeof args.address === 'string' ? args.address : '',
      folder: typeof args.folder === 'string' ? args.folder : ''
    });
    const clone = begun && (await clones.ended(begun.id));
    if (clone?.state === 'cloned') {
      await open(parts, clone);
      Notification.success(
        trans.__('%1 is in %2 now.', clone.name, clone.folder),
        { autoClose: GOOD_NEWS }
      );
    } else if (clone?.state === 'failed') {
      tellFailure(trans, trans.__('Not cloned'), clone.message);
    }
    return clone;
  } catch (reason) {
    tellFailure(trans, trans.__('Not cloned'), reason);
    return null;
  }
}

/**
 * Stop a clone that is under way, or tell of it no more.
 */
export async function endClone(
  parts: ISyncParts,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const { clones, trans } = parts;
  try {
    await clones.end(String(args.clone));
  } catch (reason) {
    tellFailure(trans, trans.__('The server did not do it'), reason);
  }
}

/**
 * Go to the folder of a project that was cloned.
 */
export async function openClone(
  parts: ISyncParts,
  args: ReadonlyPartialJSONObject
): Promise<void> {
  const clone = parts.clones.get(String(args.clone));
  if (clone) {
    await open(parts, clone);
  }
}

/** Have the server begin; null if the user did not want to. */
async function begin(
  parts: ISyncParts,
  wanted: IWanted
): Promise<ProjectClone | null> {
  const { client, clones, trans } = parts;
  let isAsked = wanted.address === '' || wanted.folder === '';
  const question = isAsked ? new Question(parts) : null;
  for (;;) {
    if (question && isAsked) {
      const answer = await question.ask();
      if (!answer) {
        return null;
      }
      wanted = answer;
    }
    try {
      return await withProgress(
        trans.__('Asking the hub…'),
        clones.begin(wanted.address, wanted.folder)
      );
    } catch (reason) {
      const { code, message } = asApiError(reason);
      if (needsLogin(code)) {
        const login = await logIn({
          client,
          trans,
          url: hubOf(wanted.address),
          error: message,
          isFixed: false
        });
        if (!login) {
          return null;
        }
        // What was chosen stays chosen.
        isAsked = false;
      } else if (question) {
        question.error = message;
        isAsked = true;
      } else {
        throw reason;
      }
    }
  }
}

/** Asks which project is to be cloned, and where to, until the answer will do. */
class Question {
  constructor(private readonly _parts: ISyncParts) {
    const { tracker } = _parts;
    const { path, workspace } = tracker;
    // Beside the workspace at hand; one inside of another would be taken in by both.
    this._parent = workspace ? PathExt.dirname(workspace.path) : path;
  }

  /** Why the last answer would not do. */
  error = '';

  /** Ask; null if the user did not want to. */
  async ask(): Promise<IWanted | null> {
    const { client, trans } = this._parts;
    for (;;) {
      const hubs = await client.hubs();
      if (hubs.length === 0 || this._value.source === OTHER_HUB) {
        const login = await this._logIn('');
        if (!login) {
          return null;
        }
        continue;
      }
      this._value.source ||= hubs[0].url;
      if (!(await this._read(this._value.source))) {
        return null;
      }
      const answer = await askClone({
        value: this._value,
        hubs,
        parent: this._parent,
        read: url => this._projects(url),
        newest: (url, projects) => client.newest(url, projects),
        error: this.error,
        trans
      });
      if (!answer) {
        return null;
      }
      this._value = answer;
      this.error = '';
      const { folder, project, search, source } = answer;
      if (source === OTHER_HUB) {
        continue;
      }
      const address = isAddress(search)
        ? search.trim()
        : project && `${source}/${project}`;
      if (address && folder.trim()) {
        return { address, folder: folder.trim() };
      }
      this.error = address
        ? trans.__('Name the new folder.')
        : trans.__('Choose a project, or type its address.');
    }
  }

  /** See to it that the projects of a hub are known, or why not; false if nobody logs in there. */
  private async _read(url: string): Promise<boolean> {
    try {
      await withProgress(
        this._parts.trans.__('Asking the hub…'),
        this._projects(url)
      );
    } catch (reason) {
      const { code, message } = asApiError(reason);
      if (needsLogin(code)) {
        return (await this._logIn(message, url)) !== null;
      }
      // Told in the form, where another hub can be chosen.
    }
    return true;
  }

  private async _logIn(error: string, url = ''): Promise<string | null> {
    const { client, trans } = this._parts;
    const isFixed = url !== '';
    const login = await logIn({ client, trans, url, error, isFixed });
    if (login) {
      this._value = { ...this._value, source: login.url };
      this._known.delete(login.url);
    }
    return login?.url ?? null;
  }

  private async _projects(url: string): Promise<readonly HubProject[]> {
    let found = this._known.get(url);
    if (!found) {
      found = await this._parts.client.everything(url);
      this._known.set(url, found);
    }
    return found;
  }

  private readonly _known = new Map<string, readonly HubProject[]>();
  private readonly _parent: string;
  private _value = { source: '', project: '', search: '', folder: '' };
}

/** The address that a project's address begins with, as far as it tells. */
function hubOf(address: string): string {
  try {
    return new URL(address).origin;
  } catch {
    return '';
  }
}

/** Go to the folder in the file browser, and show its runs. */
async function open(parts: ISyncParts, clone: ProjectClone): Promise<void> {
  const { commands } = parts.app;
  if (commands.hasCommand(GO_TO_PATH)) {
    await commands.execute(GO_TO_PATH, {
      path: clone.folder,
      dontShowBrowser: true
    });
  }
  // Also where a document of another folder is at hand.
  parts.tracker.setPath(clone.folder);
  await parts.tracker.refresh();
  if (commands.hasCommand(CommandIDs.openPanel)) {
    await commands.execute(CommandIDs.openPanel);
  }
  await endClone(parts, { clone: clone.id });
}
