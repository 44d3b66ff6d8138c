// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import {
  ICommandPalette,
  IThemeManager,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import type { ExplorerWidget } from '../explorer/widget';
import { explorerIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

const NAMESPACE = 'dotscience-explorer';

/** Where the state database keeps how the runs of a workspace were shown last. */
const KEPT = 'dotscience-jupyter:explorer-view';

/** How long a view must stay the same before it is kept, in ms. */
const SETTLE = 500;

/**
 * The table of runs with every parameter and metric, and charts of them.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:explorer',
  description: 'Shows the runs of a workspace as a table with charts.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    IStateDB,
    IThemeManager,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    tracker: IWorkspaceTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    stateDB: IStateDB | null,
    themeManager: IThemeManager | null,
    translator: ITranslator | null
  ): void => {
    const { commands, shell } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<ExplorerWidget>>({
      namespace: NAMESPACE
    });

    const keep = async (tab: MainAreaWidget<ExplorerWidget>): Promise<void> => {
      if (tab.isDisposed) {
        return;
      }
      await tabs.save(tab);
      const { model } = tab.content;
      // Which runs were shown belongs to the tab, how they were shown to the workspace.
      const view = { ...model.toJSON(), where: '', search: '', selected: [] };
      await stateDB?.save(`${KEPT}:${model.workspace}`, view);
    };

    commands.addCommand(CommandIDs.openExplorer, {
      label: trans.__('Explore Runs'),
      caption: trans.__(
        'Show all runs as a table with every parameter and metric, and as charts'
      ),
      icon: explorerIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            workspace: workspaceArgument(trans),
            where: {
              type: 'string',
              description: trans.__('The condition that runs must fulfil.')
            },
            run: {
              type: 'string',
              description: trans.__('The id of a run to select.')
            },
            state: {
              type: 'object',
              description: trans.__('How the runs were shown before.')
            }
          }
        }
      },
      execute: async args => {
        const { rootOf, workspaceOf } = await import('../run/choose');
        const workspace = await rootOf(workspaceOf(args, tracker), tracker);
        const open = tabs.find(
          tab => tab.content.model.workspace === workspace
        );
        if (open) {
          if (args.state !== undefined) {
            open.content.model.restore(args.state);
          }
          show(open, args);
          showTab(shell, open);
          return;
        }
        const { createExplorerTab } = await import('../explorer/tab');
        const state =
          args.state ?? (await stateDB?.fetch(`${KEPT}:${workspace}`));
        const tab = createExplorerTab({
          tracker,
          commands,
          workspace,
          state,
          language: languageOf(translator),
          themeManager,
          trans
        });
        show(tab, args);
        let timer = 0;
        tab.content.model.stateChanged.connect(() => {
          window.clearTimeout(timer);
          timer = window.setTimeout(() => void keep(tab), SETTLE);
        });
        await openTab(shell, tabs, tab);
      }
    });

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openExplorer,
        args: ({ content: { model } }) => ({
          workspace: model.workspace,
          state: model.toJSON()
        }),
        name: ({ content: { model } }) => model.workspace
      });
    }
    palette?.addItem({
      command: CommandIDs.openExplorer,
      category: trans.__('Dotscience')
    });
  }
};

export default plugin;

/**
 * Show in a tab what a command's arguments ask for.
 */
function show(
  tab: MainAreaWidget<ExplorerWidget>,
  args: ReadonlyPartialJSONObject
): void {
  const { model } = tab.content;
  if (typeof args.where === 'string' && args.where !== model.state.where) {
    // what is searched for is part of the state, if one is given
    const rest = args.state === undefined ? { search: '' } : {};
    model.update({ where: args.where, ...rest });
  }
  if (typeof args.run === 'string' && args.run) {
    model.selection.set([args.run]);
  }
}

/**
 * The language of the interface; only some translators tell it.
 */
function languageOf(translator: ITranslator | null): string {
  const { languageCode } = (translator ?? {}) as { languageCode?: string };
  return languageCode ?? 'en';
}
