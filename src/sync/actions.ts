// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  Notification,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ApiError } from '../api/client';
import type { SyncResult, SyncStatus, Workspace } from '../api/schema';
import { CommandIDs } from '../commands';
import {
  openDocuments,
  saveDocuments,
  showWhatIsThere,
  unsavedDocuments
} from '../documents';
import { toDrivePath } from '../drive/paths';
import { asApiError } from '../request';
import { withProgress } from '../progress';
import { shortId } from '../run/format';
import type { IHubState, IWorkspaceTracker } from '../tokens';
import type { SyncClient } from './client';
import type { ProjectClonesModel } from './clones';
import { connectHub, logIn } from './connect';
import { canMerge, needsLogin } from './words';

/** For how long good news is shown, in ms. */
const GOOD_NEWS = 5000;

/** A notification holds 140 characters; what is longer is in a dialog. */
const SHORT = 100;

/**
 * What the commands work with.
 */
export interface ISyncParts {
  app: JupyterFrontEnd;
  tracker: IWorkspaceTracker;
  hub: IHubState;
  client: SyncClient;
  clones: ProjectClonesModel;
  documents: IDocumentManager | null;
  trans: TranslationBundle;
}

type Action<T> = (parts: ISyncParts, workspace: Workspace) => Promise<T>;

/**
 * Do something with the hub of the workspace at hand; what goes wrong is told.
 *
 * @returns What came of it; null when nothing did
 */
export async function act<T>(
  parts: ISyncParts,
  action: Action<T>
): Promise<T | null> {
  const { tracker, trans } = parts;
  const { workspace } = tracker;
  if (!workspace) {
    Notification.info(trans.__('The folder at hand is not tracked.'), {
      autoClose: GOOD_NEWS
    });
    return null;
  }
  try {
    return await action(parts, workspace);
  } catch (reason) {
    tell(parts, reason);
    return null;
  } finally {
    // The server tells of it, but not everybody can hear that.
    void parts.hub.load();
  }
}

/**
 * Have the user choose hub and project; where that is done, log in there again.
 */
export async function connect(
  parts: ISyncParts,
  workspace: Workspace
): Promise<boolean> {
  const { client, hub, trans } = parts;
  const remote = hub.status?.remote;
  if (remote) {
    const login = await logIn({
      client,
      trans,
      url: remote.url,
      error: '',
      isFixed: true
    });
    if (login) {
      await push(parts, workspace);
    }
    return login !== null;
  }
  const chosen = await connectHub({
    client,
    trans,
    workspace: workspace.path,
    name: workspace.name
  });
  if (!chosen) {
    return false;
  }
  Notification.success(
    trans.__('%1 belongs to %2 now.', workspace.name, chosen.name),
    { autoClose: GOOD_NEWS }
  );
  return true;
}

/**
 * Let the workspace belong to no hub, if the user means it.
 */
export async function disconnect(
  parts: ISyncParts,
  workspace: Workspace
): Promise<boolean> {
  const { client, hub, trans } = parts;
  const isMeant = await confirm(
    trans.__('Disconnect from the hub?'),
    trans.__(
      'New commits of %1 are not sent to %2 any more. Nothing is deleted, neither here nor there.',
      workspace.name,
      hub.status?.remote?.name ?? ''
    ),
    trans.__('Disconnect'),
    trans
  );
  if (isMeant) {
    await client.disconnect(workspace.path);
  }
  return isMeant;
}

/**
 * Forget who the user is on the hub of the workspace, if the user means it.
 */
export async function logOut(parts: ISyncParts): Promise<boolean> {
  const { client, hub, trans } = parts;
  const remote = hub.status?.remote;
  if (!remote) {
    return false;
  }
  const isMeant = await confirm(
    trans.__('Log out of the hub?'),
    trans.__(
      'The API key of %1 on %2 is forgotten here. Commits of all your workspaces that belong to this hub wait until you log in again; nothing is deleted. The key itself goes on to work elsewhere: revoke it on the hub if others may have it.',
      remote.user ?? '',
      remote.url
    ),
    trans.__('Log Out'),
    trans
  );
  if (isMeant) {
    await client.logOut(remote.url);
  }
  return isMeant;
}

async function confirm(
  title: string,
  body: string,
  accept: string,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = await showDialog({
    title,
    body,
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: accept })
    ],
    defaultButton: 0
  });
  return button.accept;
}

/**
 * Send the hub every commit that it does not have.
 */
export async function push(
  parts: ISyncParts,
  workspace: Workspace
): Promise<SyncResult> {
  const { client, trans } = parts;
  const result = await withProgress(
    trans.__('Pushing…'),
    client.push(workspace.path)
  );
  if (result.state === 'diverged') {
    await parts.hub.load();
    Notification.warning(
      trans.__(
        'The hub has commits that yours do not build upon. Yours are kept there beside them.'
      ),
      { autoClose: false, actions: mergeActions(parts) }
    );
    return result;
  }
  succeed(
    result.state === 'published'
      ? trans._n(
          'Sent %1 commit to the hub.',
          'Sent %1 commits to the hub.',
          result.commits
        )
      : result.state === 'nothing'
        ? trans.__('There is no commit yet, so nothing was sent.')
        : trans.__('The hub has every commit.')
  );
  return result;
}

/**
 * Take the hub's commits that are not here; the panel tells meanwhile how far that has come.
 *
 * @returns What came of it; null when another workspace was chosen before it had ended
 */
export async function fetch(
  parts: ISyncParts,
  workspace: Workspace
): Promise<SyncResult | null> {
  const { client, trans } = parts;
  const result = await ended(parts, workspace, 'fetched', () =>
    client.fetch(workspace.path)
  );
  if (!result) {
    return null;
  }
  succeed(
    result.state === 'fetched'
      ? trans._n(
          'Fetched %1 commit. No file was changed.',
          'Fetched %1 commits. No file was changed.',
          result.commits
        )
      : nothingNew(result, trans)
  );
  return result;
}

/**
 * Have the server begin to take commits, and wait until that has ended.
 *
 * @param what - Where the status tells what it came to
 * @param begin - Has it begin
 * @returns What it came to; null when another workspace was chosen meanwhile
 */
async function ended(
  parts: ISyncParts,
  workspace: Workspace,
  what: 'fetched' | 'pulled',
  begin: () => Promise<SyncStatus>
): Promise<SyncResult | null> {
  const { hub, tracker } = parts;
  const isHere = (): boolean => tracker.workspace?.id === workspace.id;
  await begin();
  const end = new Promise<void>(resolve => {
    const look = (): void => {
      if (!isHere() || hub.status?.[what]) {
        hub.changed.disconnect(look);
        resolve();
      }
    };
    hub.changed.connect(look);
    // its end may have been told before the answer came, or not be heard
    void hub.load().then(look);
  });
  await end;
  const result = isHere() ? (hub.status?.[what] ?? null) : null;
  if (result?.state === 'failed') {
    throw new ApiError(409, result.code, result.message);
  }
  return result;
}

/**
 * Take the hub's commits, and show what the files hold then in the documents that are open; the
 * panel tells meanwhile how far that has come.
 *
 * @returns What came of it; null when another workspace was chosen before it had ended
 */
export async function pull(
  parts: ISyncParts,
  workspace: Workspace
): Promise<SyncResult | null> {
  const { app, client, documents, tracker, trans } = parts;
  const { contents } = app.serviceManager;
  const open = () =>
    documents
      ? openDocuments(app.shell, documents, contents, workspace.path)
      : [];
  if (documents) {
    // What was typed must not be overwritten unseen: saved, it is a change that is not committed.
    await saveDocuments(
      unsavedDocuments(app.shell, documents, contents, workspace.path),
      trans
    );
  }
  const result = await ended(parts, workspace, 'pulled', () =>
    client.pull(workspace.path)
  );
  if (!result) {
    return null;
  }
  if (result.state !== 'pulled') {
    succeed(nothingNew(result, trans));
    return result;
  }
  const { head } = result;
  await showWhatIsThere(open(), trans, async context => {
    const { placeOf } = await import('../history/place');
    const place = await placeOf(context.path, contents, tracker);
    return place && head
      ? contents.get(
          toDrivePath({
            workspace: workspace.path,
            commit: head,
            path: place.file
          }),
          { type: context.contentsModel?.type }
        )
      : null;
  });
  succeed(
    trans._n(
      'The files are as in %2 now, %1 commit further.',
      'The files are as in %2 now, %1 commits further.',
      result.commits,
      shortId(head ?? '')
    )
  );
  return result;
}

function nothingNew(result: SyncResult, trans: TranslationBundle): string {
  return result.state === 'nothing'
    ? trans.__('The hub has no commit yet.')
    : trans.__('There is nothing newer on the hub.');
}

function succeed(message: string): void {
  Notification.success(message, { autoClose: GOOD_NEWS });
}

/**
 * Tell what went wrong, and offer what helps.
 */
function tell(parts: ISyncParts, reason: unknown): void {
  const { app, trans } = parts;
  const { code, message } = asApiError(reason);
  const actions: Notification.IAction[] = [];
  if (needsLogin(code)) {
    actions.push({
      label: trans.__('Log In…'),
      callback: () => void app.commands.execute(CommandIDs.connectHub)
    });
  } else if (code === 'diverged') {
    actions.push(...mergeActions(parts));
  }
  if (message.length > SHORT) {
    actions.push({
      label: trans.__('Show'),
      callback: () => {
        void showErrorMessage(trans.__('What happened'), message);
      }
    });
  }
  Notification.error(message, { autoClose: false, actions });
}

function mergeActions(parts: ISyncParts): Notification.IAction[] {
  const { app, hub, trans } = parts;
  const { commands } = app;
  const { status } = hub;
  if (!status || !canMerge(status)) {
    return commands.hasCommand(CommandIDs.fetch)
      ? [
          {
            label: trans.__('Fetch'),
            callback: () => void commands.execute(CommandIDs.fetch)
          }
        ]
      : [];
  }
  return commands.hasCommand(CommandIDs.openMerge)
    ? [
        {
          label: trans.__('Merge…'),
          callback: () =>
            void commands.execute(CommandIDs.openMerge, {
              theirs: status.theirs
            })
        }
      ]
    : [];
}
