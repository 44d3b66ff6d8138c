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
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import type { CompareWidget } from '../compare/widget';
import { compareIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import { shortId } from '../run/format';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

const NAMESPACE = 'dotscience-compare';

/**
 * Two runs side by side in a tab.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:compare',
  description: 'Compares the values, files and environments of two runs.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [ICommandPalette, ILayoutRestorer, IThemeManager, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    themeManager: IThemeManager | null,
    translator: ITranslator | null
  ): void => {
    const { commands } = app;
    const { client } = workspaces;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<CompareWidget>>({
      namespace: NAMESPACE
    });

    const choose = async (
      workspace: string,
      except?: string
    ): Promise<string | null> => {
      const { chooseRun } = await import('../run/choose');
      return chooseRun({
        client,
        workspace,
        title: trans.__('Compare Runs'),
        label: except
          ? trans.__('Compare run %1 with:', shortId(except))
          : trans.__('First run:'),
        except,
        trans
      });
    };

    commands.addCommand(CommandIDs.compareRuns, {
      label: trans.__('Compare Runs…'),
      caption: trans.__(
        'Show parameters, metrics, files and environments of two runs side by side'
      ),
      icon: compareIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            a: {
              type: 'string',
              description: trans.__(
                'The id of the first run; without it the user is asked.'
              )
            },
            b: {
              type: 'string',
              description: trans.__(
                'The id of the second run; without it the user is asked.'
              )
            },
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const { workspaceOf } = await import('../run/choose');
        const workspace = workspaceOf(args, workspaces);
        const a =
          typeof args.a === 'string' && args.a
            ? args.a
            : await choose(workspace);
        if (a === null) {
          return;
        }
        const b =
          typeof args.b === 'string' && args.b
            ? args.b
            : await choose(workspace, a);
        if (b === null) {
          return;
        }
        const { createCompareTab } = await import('../compare/tab');
        const open = tabs.find(
          ({ content: { model } }) => model.a.run === a && model.b.run === b
        );
        if (open) {
          showTab(app.shell, open);
          return;
        }
        const tab = createCompareTab({
          client,
          commands,
          a,
          b,
          workspace,
          choose: other => choose(workspace, other),
          themeManager,
          trans
        });
        // which runs it shows can change, and so does what is restored
        const { model } = tab.content;
        let shown = `${a} ${b}`;
        model.stateChanged.connect(() => {
          const now = `${model.a.run} ${model.b.run}`;
          if (now !== shown) {
            shown = now;
            void tabs.save(tab);
          }
        });
        await openTab(app.shell, tabs, tab);
      }
    });

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.compareRuns,
        args: ({ content: { model } }) => ({
          a: model.a.run,
          b: model.b.run,
          workspace: model.workspace
        }),
        name: ({ content: { model } }) => `${model.a.run}-${model.b.run}`
      });
    }
    palette?.addItem({
      command: CommandIDs.compareRuns,
      category: trans.__('Dotscience')
    });
  }
};

export default plugin;
