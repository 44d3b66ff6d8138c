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
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { runArgument, workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import { restoreIcon, runIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import { isInside } from '../model';
import type { RunWidget } from '../run/widget';
import {
  IWorkspaceTracker,
  TRANSLATION_DOMAIN,
  type IWorkspaceEvent
} from '../tokens';

const NAMESPACE = 'dotscience-run';

/**
 * Runs in tabs of their own, and their files in new folders.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:run',
  description:
    'Shows everything known of a run in a tab and restores its files.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    IThemeManager,
    IDefaultFileBrowser,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    themeManager: IThemeManager | null,
    browser: IDefaultFileBrowser | null,
    translator: ITranslator | null
  ): void => {
    const { commands } = app;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<RunWidget>>({
      namespace: NAMESPACE
    });

    commands.addCommand(CommandIDs.openRun, {
      label: args =>
        args.run ? trans.__('Open Run') : trans.__('Open a Run…'),
      caption: trans.__(
        'Show everything known of a run: parameters, metrics, files, environment'
      ),
      icon: runIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            run: runArgument(trans),
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const { runOf, workspaceOf } = await import('../run/choose');
        const run = await runOf(
          args,
          workspaces,
          trans.__('Open a Run'),
          trans
        );
        if (run === null) {
          return;
        }
        const { createRunTab } = await import('../run/tab');
        const open = tabs.find(tab => tab.content.model.run === run);
        if (open) {
          showTab(app.shell, open);
          return;
        }
        const tab = createRunTab({
          client: workspaces.client,
          commands,
          run,
          workspace: workspaceOf(args, workspaces),
          themeManager,
          trans
        });
        await openTab(app.shell, tabs, tab);
      }
    });

    commands.addCommand(CommandIDs.restoreRun, {
      label: trans.__('Restore a Run to a New Folder…'),
      caption: trans.__(
        'Write all files as they were when the run was made to a new folder'
      ),
      icon: restoreIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            run: runArgument(trans),
            workspace: workspaceArgument(trans),
            to: {
              type: 'string',
              description: trans.__(
                'Contents path of the new folder; without it the user is asked.'
              )
            }
          }
        }
      },
      execute: async args => {
        const { rootOf, runOf, workspaceOf } = await import('../run/choose');
        const run = await runOf(
          args,
          workspaces,
          trans.__('Restore a Run'),
          trans
        );
        if (run === null) {
          return null;
        }
        const { restoreRun } = await import('../run/restore');
        return restoreRun({
          client: workspaces.client,
          root: await rootOf(workspaceOf(args, workspaces), workspaces),
          run,
          to: typeof args.to === 'string' && args.to ? args.to : undefined,
          openFolder: browser
            ? path => {
                app.shell.activateById(browser.id);
                void browser.model.cd(`/${path}`);
              }
            : null,
          trans
        });
      }
    });

    // A tab that was opened before its run was committed has it now.
    workspaces.runsChanged.connect(() => {
      tabs.forEach(tab => {
        if (tab.content.model.isMissing) {
          void tab.content.model.load();
        }
      });
    });

    // One that is under way is followed, in whichever workspace it is.
    const onLive = (_: IWorkspaceTracker, event: IWorkspaceEvent): void => {
      tabs.forEach(({ content: { model } }) => {
        if (model.isMissing && isInside(model.workspace, event.workspace)) {
          void (event.action === 'committed' ? model.load() : model.follow());
        }
      });
    };
    workspaces.liveChanged.connect(onLive);
    workspaces.elsewhereChanged.connect(onLive);

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openRun,
        args: tab => ({
          run: tab.content.model.run,
          workspace: tab.content.model.workspace
        }),
        name: tab => tab.content.model.run
      });
    }
    if (palette) {
      const category = trans.__('Dotscience');
      palette.addItem({ command: CommandIDs.openRun, category });
      palette.addItem({ command: CommandIDs.restoreRun, category });
    }
  }
};

export default plugin;
