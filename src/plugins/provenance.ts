// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { IWorkspaceTracker } from '../tokens';

/**
 * The graph of runs and file versions.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:provenance',
  description: 'The graph of runs and file versions.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  activate: (app: JupyterFrontEnd, workspaces: IWorkspaceTracker): void => {}
};

export default plugin;
