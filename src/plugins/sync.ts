// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { hubIcon } from '../icons';
import type { ISyncParts } from '../sync/actions';
import { SyncClient } from '../sync/client';
import { ProjectClonesModel } from '../sync/clones';
import { HubState } from '../sync/state';
import { HubStatusItem } from '../sync/statusitem';
import { IHubState, IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

/** What can be done with a hub, as `../sync/actions` calls it. */
type SyncAction =
  'connect' | 'push' | 'pull' | 'fetch' | 'logOut' | 'disconnect';

/**
 * Provides what is known of the hub, and the commands that act on it.
 */
export const syncPlugin: JupyterFrontEndPlugin<IHubState> = {
  id: 'dotscience-jupyter:sync',
  description:
    'Provides how the workspace at hand and its hub stand, and the commands that move commits.',
  autoStart: true,
  provides: IHubState,
  requires: [IWorkspaceTracker],
  optional: [IDocumentManager, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: IWorkspaceTracker,
    documents: IDocumentManager | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ): IHubState => {
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const client = new SyncClient(tracker.client.serverSettings);
    const clones = new ProjectClonesModel(tracker, client);
    const hub = new HubState(tracker, client, clones);
    const parts: ISyncParts = {
      app,
      tracker,
      hub,
      client,
      clones,
      documents,
      trans
    };
    const ids = [...addCommands(parts), ...addCloneCommands(parts)];
    const category = trans.__('Dotscience');
    for (const command of ids) {
      palette?.addItem({ command, category });
    }
    // Whoever has the workspace read again may have moved commits with another program.
    app.commands.commandExecuted.connect((_, { id }) => {
      if (id === CommandIDs.refresh) {
        void hub.load();
        void clones.load();
      }
    });
    return hub;
  }
};

/**
 * Shows in the status bar how the workspace and its hub stand.
 */
export const hubStatusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:hub-status',
  description:
    'Shows in the status bar how the workspace and its hub stand to each other.',
  autoStart: true,
  requires: [IHubState],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    hub: IHubState,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (!statusBar) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    new HubStatusItem(hub, app.commands, trans).addTo(
      statusBar,
      'dotscience-jupyter:hub-status',
      101
    );
  }
};

/**
 * Add the commands that act on the hub of the workspace at hand.
 *
 * @returns Their ids
 */
function addCommands(parts: ISyncParts): string[] {
  const { app, hub, tracker, trans } = parts;
  const { commands } = app;
  const isConnected = (): boolean => Boolean(hub.status?.remote);
  const ids: string[] = [];
  const add = (
    id: string,
    action: SyncAction,
    words: { label: string | (() => string); caption: string },
    isEnabled = isConnected
  ): void => {
    commands.addCommand(id, {
      ...words,
      icon: hubIcon,
      isEnabled,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        const actions = await import('../sync/actions');
        return actions.act<unknown>(parts, actions[action]);
      }
    });
    ids.push(id);
  };
  add(
    CommandIDs.connectHub,
    'connect',
    {
      label: () =>
        isConnected()
          ? trans.__('Log In on the Hub…')
          : trans.__('Connect to a Hub…'),
      caption: trans.__(
        'Choose the hub and the project to which the commits of this workspace are sent'
      )
    },
    () => tracker.workspace !== null && (hub.status?.supported ?? false)
  );
  add(CommandIDs.push, 'push', {
    label: trans.__('Push to the Hub'),
    caption: trans.__('Send the hub every commit that it does not have')
  });
  add(CommandIDs.pull, 'pull', {
    label: trans.__('Pull from the Hub'),
    caption: trans.__(
      'Take the hub’s commits and bring the files to the newest, where they build upon what is here'
    )
  });
  add(CommandIDs.fetch, 'fetch', {
    label: trans.__('Fetch from the Hub'),
    caption: trans.__(
      'Take the hub’s commits that are not here, without touching a file'
    )
  });
  add(
    CommandIDs.logOut,
    'logOut',
    {
      label: trans.__('Log Out of the Hub…'),
      caption: trans.__(
        'Forget who you are on the hub, for all workspaces of this server; nothing is deleted'
      )
    },
    () => Boolean(hub.status?.remote?.user)
  );
  add(CommandIDs.disconnectHub, 'disconnect', {
    label: trans.__('Disconnect from the Hub…'),
    caption: trans.__(
      'Send no more commits there; nothing is deleted, neither here nor there'
    )
  });
  const changed = (): void =>
    ids.forEach(id => commands.notifyCommandChanged(id));
  hub.changed.connect(changed);
  tracker.workspaceChanged.connect(changed);
  return ids;
}

/**
 * Add the commands that clone projects; they need no workspace.
 *
 * @returns The ids of those that are for the palette
 */
function addCloneCommands(parts: ISyncParts): string[] {
  const { app, trans } = parts;
  const { commands } = app;
  commands.addCommand(CommandIDs.cloneProject, {
    label: trans.__('Clone a Project from the Hub…'),
    caption: trans.__(
      'Make a new folder with the files and the whole history of a project'
    ),
    icon: hubIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          address: {
            type: 'string',
            description: trans.__(
              'The address of the project; asked for when absent'
            )
          },
          folder: {
            type: 'string',
            description: trans.__(
              'Path of the new folder; asked for when absent'
            )
          }
        }
      }
    },
    execute: async args =>
      (await import('../sync/clone')).cloneProject(parts, args)
  });
  const describedBy = {
    args: {
      type: 'object',
      required: ['clone'],
      properties: {
        clone: { type: 'string', description: trans.__('The id of the clone') }
      }
    }
  };
  commands.addCommand(CommandIDs.endClone, {
    label: trans.__('Stop a Clone'),
    caption: trans.__(
      'Stop cloning a project, or tell of it no more when that has ended; no file is deleted'
    ),
    describedBy,
    execute: async args => (await import('../sync/clone')).endClone(parts, args)
  });
  commands.addCommand(CommandIDs.openClone, {
    label: trans.__('Open a Cloned Project'),
    caption: trans.__('Go to the folder of a project that was cloned'),
    describedBy,
    execute: async args =>
      (await import('../sync/clone')).openClone(parts, args)
  });
  return [CommandIDs.cloneProject];
}
