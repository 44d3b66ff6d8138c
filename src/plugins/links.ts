// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Clipboard, ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { linkIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import { parseDrivePath } from '../drive/paths';
import type { ILink } from '../links/link';
import { linkOf } from '../links/tabs';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

/** How long a link without a workspace waits for the one at hand, in ms. */
const PATIENCE = 20_000;

/** For how long good news is shown, in ms. */
const GOOD_NEWS = 3000;

/**
 * Addresses that open a view.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:links',
  description: 'Copies links to views, and opens what a link asks for.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [ICommandPalette, IDocumentManager, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: IWorkspaceTracker,
    palette: ICommandPalette | null,
    documents: IDocumentManager | null,
    translator: ITranslator | null
  ): void => {
    const { commands, shell } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    // Restoring the layout changes the address, so it is read now.
    const query = window.location.search;

    const copy = async (link: ILink): Promise<void> => {
      const { addressOf } = await import('../links/link');
      Clipboard.copyToSystem(addressOf(link));
      Notification.info(trans.__('The link is copied.'), {
        autoClose: GOOD_NEWS
      });
    };

    /** What a link to the tab at hand asks for; a file of a commit has one as well. */
    const atHand = (): ILink | null => {
      const { currentWidget } = shell;
      const path =
        currentWidget && documents?.contextForWidget(currentWidget)?.path;
      const frozen = path ? parseDrivePath(path) : null;
      return frozen?.path
        ? {
            view: 'file',
            parts: {
              workspace: frozen.workspace,
              commit: frozen.commit,
              file: frozen.path
            }
          }
        : linkOf(currentWidget);
    };

    const text = (description: string) => ({ type: 'string', description });
    commands.addCommand(CommandIDs.copyLink, {
      label: args =>
        args.view ? trans.__('Copy Link') : trans.__('Copy Link to the Tab'),
      caption: trans.__('Copy an address that opens this in JupyterLab'),
      icon: linkIcon,
      isEnabled: args => typeof args.view === 'string' || atHand() !== null,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            view: text(
              trans.__(
                'run, explorer, provenance, history, compare, lineages, difference, merge, file, commit or commits; without it the tab at hand. What it shows is given by the names that the address has, without “dotscience-”.'
              )
            ),
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const { isView } = await import('../links/link');
        const link = isView(args.view)
          ? { view: args.view, parts: await partsOf(args, tracker) }
          : atHand();
        if (link) {
          await copy(link);
        }
      }
    });

    commands.addCommand(CommandIDs.copyRunLink, {
      label: trans.__('Copy Link to Run'),
      caption: trans.__('Copy an address that opens the run in JupyterLab'),
      icon: linkIcon,
      isEnabled: args => typeof args.run === 'string',
      describedBy: {
        args: {
          type: 'object',
          properties: {
            run: text(trans.__('The id of the run.')),
            workspace: workspaceArgument(trans)
          },
          required: ['run']
        }
      },
      execute: async args => {
        if (typeof args.run === 'string') {
          await copy({ view: 'run', parts: await partsOf(args, tracker) });
        }
      }
    });

    palette?.addItem({
      command: CommandIDs.copyLink,
      category: trans.__('Dotscience')
    });
    if (query.includes('dotscience-')) {
      void app.restored.then(() => follow(app, query, tracker));
    }
  }
};

export default plugin;

/**
 * What a command's arguments say of a view, with the root of the workspace that it is in.
 */
async function partsOf(
  args: ReadonlyPartialJSONObject,
  tracker: IWorkspaceTracker
): Promise<Record<string, string>> {
  const { rootOf, workspaceOf } = await import('../run/choose');
  const given = Object.entries(args).filter(
    ([name, value]) =>
      name !== 'view' &&
      (typeof value === 'string' || typeof value === 'number')
  );
  return {
    ...Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
    workspace: await rootOf(workspaceOf(args, tracker), tracker)
  };
}

/**
 * Open what a link asks for, and take that out of the address.
 */
async function follow(
  app: JupyterFrontEnd,
  query: string,
  tracker: IWorkspaceTracker
): Promise<void> {
  const { callOf, readLink, withoutLink } = await import('../links/link');
  const link = readLink(query);
  // The address may have become another one while the layout was restored.
  const address = withoutLink(window.location.href);
  if (address !== window.location.href) {
    window.history.replaceState(window.history.state, '', address);
  }
  if (!link) {
    return;
  }
  if (link.parts.workspace === undefined && link.view !== 'history') {
    await workspaceAtHand(tracker);
  }
  const { command, args } = callOf(link);
  await app.commands.execute(command, args);
}

/**
 * Resolves when the workspace at hand is known, or after a while in any case.
 */
function workspaceAtHand(tracker: IWorkspaceTracker): Promise<void> {
  if (tracker.workspace) {
    return Promise.resolve();
  }
  return new Promise(resolve => {
    const owner = {};
    const done = (): void => {
      window.clearTimeout(timer);
      tracker.workspaceChanged.disconnect(onChanged, owner);
      resolve();
    };
    const onChanged = (): void => {
      if (tracker.workspace) {
        done();
      }
    };
    const timer = window.setTimeout(done, PATIENCE);
    tracker.workspaceChanged.connect(onChanged, owner);
  });
}
