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
  Notification,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { workspaceArgument } from '../arguments';
import { CommandIDs } from '../commands';
import { compareIcon, dotscienceIcon } from '../icons';
import { openTab, showTab } from '../mainarea';
import type { Direction } from '../provenance/client';
import type { SaveFormat } from '../provenance/export';
import type { LineagesWidget } from '../provenance/lineages';
import type { View } from '../provenance/model';
import type { ProvenanceWidget } from '../provenance/widget';
import { tellFailure } from '../reason';
import { IWorkspaceTracker, TRANSLATION_DOMAIN } from '../tokens';

const DIRECTIONS: readonly string[] = ['up', 'down', 'both'];

/**
 * The graph of runs and file versions.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:provenance',
  description:
    'Shows what runs and files were made from and what came of them.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    IThemeManager,
    IDocumentManager,
    IFileBrowserFactory,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    workspaces: IWorkspaceTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    themeManager: IThemeManager | null,
    documents: IDocumentManager | null,
    browsers: IFileBrowserFactory | null,
    translator: ITranslator | null
  ): void => {
    const { commands, shell } = app;
    const { client } = workspaces;
    const trans = (translator ?? nullTranslator).load(TRANSLATION_DOMAIN);
    const tabs = new WidgetTracker<MainAreaWidget<ProvenanceWidget>>({
      namespace: 'dotscience-provenance'
    });
    const lineages = new WidgetTracker<MainAreaWidget<LineagesWidget>>({
      namespace: 'dotscience-lineages'
    });
    commands.addCommand(CommandIDs.openProvenance, {
      label: args =>
        args.start
          ? trans.__('Provenance')
          : trans.__('Show Provenance of the Workspace'),
      caption: trans.__(
        'Show what runs and files were made from and what came of them'
      ),
      icon: dotscienceIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            start: {
              type: 'string',
              description: trans.__(
                'Where to begin: run:ID, file:PATH, file:PATH@COMMIT, model:NAME or digest:HEX; without it the whole workspace.'
              )
            },
            direction: {
              type: 'string',
              description: trans.__(
                'up (what it was made from), down (what came of it) or both.'
              )
            },
            depth: {
              type: 'number',
              description: trans.__(
                'How many runs away at most; 0 or nothing for any.'
              )
            },
            across: {
              type: 'boolean',
              description: trans.__(
                'Whether it is followed into other workspaces that this server finds.'
              )
            },
            view: {
              type: 'string',
              description: trans.__('How it is shown: graph or list.')
            },
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const { rootOf, workspaceOf } = await import('../run/choose');
        const { createProvenanceTab } = await import('../provenance/tab');
        const workspace = await rootOf(
          workspaceOf(args, workspaces),
          workspaces
        );
        const start = typeof args.start === 'string' ? args.start : '';
        const direction = DIRECTIONS.includes(args.direction as string)
          ? (args.direction as Direction)
          : 'both';
        const open = tabs.find(
          ({ content: { model } }) =>
            model.workspace === workspace &&
            model.query.start === start &&
            model.query.direction === direction
        );
        if (open) {
          const { model } = open.content;
          if (
            typeof args.depth === 'number' &&
            args.depth !== model.query.depth
          ) {
            void model.setQuery({ depth: args.depth });
          }
          if (
            typeof args.across === 'boolean' &&
            args.across !== model.query.across
          ) {
            void model.setAcross(args.across);
          }
          if (args.view === 'graph' || args.view === 'list') {
            model.setView(args.view);
          }
          showTab(shell, open);
          return;
        }
        const tab = createProvenanceTab({
          client,
          commands,
          workspace,
          start,
          direction,
          depth: typeof args.depth === 'number' ? args.depth : 0,
          across: args.across === true,
          view: args.view === 'list' ? 'list' : ('graph' as View),
          themeManager,
          trans
        });
        // what is asked for and how it is shown can change, and so does what is restored
        const { model } = tab.content;
        const stateOf = () => JSON.stringify([model.query, model.view]);
        let saved = stateOf();
        model.stateChanged.connect(() => {
          const state = stateOf();
          if (state !== saved) {
            saved = state;
            void tabs.save(tab);
          }
        });
        await openTab(shell, tabs, tab);
      }
    });

    commands.addCommand(CommandIDs.compareLineages, {
      label: trans.__('Compare Lineages'),
      caption: trans.__(
        'Show what differs between the lineages of two runs, files or models'
      ),
      icon: compareIcon,
      describedBy: {
        args: {
          type: 'object',
          required: ['a', 'b'],
          properties: {
            a: {
              type: 'string',
              description: trans.__(
                'run:ID, file:PATH, file:PATH@COMMIT or model:NAME.'
              )
            },
            b: { type: 'string', description: trans.__('The other one.') },
            workspace: workspaceArgument(trans)
          }
        }
      },
      execute: async args => {
        const { workspaceOf } = await import('../run/choose');
        const { createLineagesTab } = await import('../provenance/tab');
        const tab = createLineagesTab({
          client,
          commands,
          workspace: workspaceOf(args, workspaces),
          a: String(args.a),
          b: String(args.b),
          trans
        });
        await openTab(shell, lineages, tab);
      }
    });

    const formats: { [format in SaveFormat]: string } = {
      png: trans.__('Picture (PNG)'),
      svg: trans.__('Drawing (SVG)'),
      prov: trans.__('W3C PROV-JSON'),
      openlineage: trans.__('OpenLineage Events'),
      dot: trans.__('Graphviz (dot)')
    };
    commands.addCommand(CommandIDs.exportProvenance, {
      label: args =>
        formats[args.format as SaveFormat] ?? trans.__('Export Provenance'),
      caption: trans.__('Save the graph of the tab at hand as a file'),
      isEnabled: () => tabs.currentWidget !== null,
      describedBy: {
        args: {
          type: 'object',
          required: ['format'],
          properties: {
            format: {
              type: 'string',
              description: trans.__('png, svg, prov, openlineage or dot.')
            }
          }
        }
      },
      execute: async args => {
        const tab = tabs.currentWidget;
        if (!tab || !(String(args.format) in formats)) {
          return;
        }
        const { saveGraph } = await import('../provenance/export');
        try {
          await saveGraph(
            tab.content.model,
            args.format as SaveFormat,
            tab.content.node,
            trans
          );
        } catch (reason) {
          tellFailure(trans, trans.__('The graph could not be saved'), reason);
        }
      }
    });

    /** The file that a tab's context menu, the file browser or the tab at hand is about. */
    const fileAtHand = (isTab: boolean): string | null => {
      if (isTab) {
        const node = app.contextMenuHitTest(hit => Boolean(hit.dataset.id));
        for (const widget of shell.widgets('main')) {
          if (node && widget.id === node.dataset.id) {
            return documents?.contextForWidget(widget)?.path ?? null;
          }
        }
        return null;
      }
      const browser = browsers?.tracker.currentWidget;
      const items = [...(browser?.selectedItems() ?? [])];
      return items.length === 1 && items[0].type !== 'directory'
        ? items[0].path
        : null;
    };
    commands.addCommand(CommandIDs.whereFrom, {
      label: trans.__('Where Did This Come From?'),
      caption: trans.__('Show the runs and files that a file was made from'),
      icon: dotscienceIcon,
      isVisible: args =>
        typeof args.file === 'string' || fileAtHand(args.tab === true) !== null,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            file: {
              type: 'string',
              description: trans.__(
                'Contents path of the file; without it the one chosen in the file browser.'
              )
            },
            tab: {
              type: 'boolean',
              description: trans.__(
                'Whether the file of the tab is meant whose menu is open.'
              )
            }
          }
        }
      },
      execute: async args => {
        const file =
          typeof args.file === 'string'
            ? args.file
            : fileAtHand(args.tab === true);
        if (file === null) {
          Notification.info(
            trans.__('Choose a file in the file browser first.')
          );
          return;
        }
        const { showWhereFrom } = await import('../provenance/wherefrom');
        await showWhereFrom({
          file,
          contents: app.serviceManager.contents,
          tracker: workspaces,
          commands,
          trans
        });
      }
    });

    workspaces.runsChanged.connect(() => {
      tabs.forEach(({ content: { model } }) => {
        if (model.workspace === workspaces.workspace?.path) {
          void model.refresh();
        }
      });
    });

    if (restorer) {
      void restorer.restore(tabs, {
        command: CommandIDs.openProvenance,
        args: ({ content: { model } }) => ({
          ...model.query,
          view: model.view,
          workspace: model.workspace
        }),
        name: ({ content: { model } }) =>
          [model.workspace, model.query.direction, model.query.start].join(' ')
      });
      void restorer.restore(lineages, {
        command: CommandIDs.compareLineages,
        args: ({ content: { model } }) => ({
          a: model.a,
          b: model.b,
          workspace: model.workspace
        }),
        name: ({ content: { model } }) =>
          [model.workspace, model.a, model.b].join(' ')
      });
    }
    if (palette) {
      const category = trans.__('Dotscience');
      palette.addItem({ command: CommandIDs.openProvenance, category });
    }
  }
};

export default plugin;
