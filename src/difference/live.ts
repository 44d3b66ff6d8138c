// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Contents, Event } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';

import { serverPath } from '../follow';
import { isInside } from '../model';
import type { IWorkspaceEvent } from '../tokens';
import { EVENT_SCHEMA } from '../tokens';
import type { DifferenceModel } from './model';

/** How long changes must pause before it is looked again, in ms. */
const PAUSE = 300;

/**
 * Have a model look again when the live folder is one of its moments and changes.
 *
 * @param options.root - Contents path of the workspace
 * @returns What ends it
 */
export function followNow(options: {
  model: DifferenceModel;
  events: Event.IManager;
  contents: Contents.IManager;
  root: string;
}): IDisposable {
  const { model, events, contents, root } = options;
  const settle = new Debouncer(() => model.refresh(), PAUSE);
  const owner = {};
  const look = (): void => {
    if (model.isLive) {
      settle.invoke().catch(() => {
        // only rejects when disposed; what went wrong is kept in the model
      });
    }
  };
  const onEvent = (_: Event.IManager, emission: Event.Emission): void => {
    if (emission.schema_id !== EVENT_SCHEMA) {
      return;
    }
    const { action, workspace } = emission as unknown as IWorkspaceEvent;
    if (workspace === root && action !== 'committing') {
      look();
    }
  };
  // the server tells of a file that has changed before only once; what is saved here, we know
  const onFile = (
    _: Contents.IManager,
    { newValue }: Contents.IChangedArgs
  ): void => {
    const path = newValue?.path ? serverPath(contents, newValue.path) : null;
    if (path !== null && isInside(path, root)) {
      look();
    }
  };
  events.stream.connect(onEvent, owner);
  contents.fileChanged.connect(onFile, owner);
  return new DisposableDelegate(() => {
    events.stream.disconnect(onEvent, owner);
    contents.fileChanged.disconnect(onFile, owner);
    settle.dispose();
  });
}
