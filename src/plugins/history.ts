// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

import { IWorkspaceTracker } from '../tokens';

/**
 * The versions of a file, and bringing one back.
 */
const plugin: JupyterFrontEndPlugin<void> = {
  id: 'dotscience-jupyter:history',
  description: 'The versions of a file, and bringing one back.',
  autoStart: true,
  requires: [IWorkspaceTracker],
  activate: (app: JupyterFrontEnd, workspaces: IWorkspaceTracker): void => {}
};

export default plugin;
