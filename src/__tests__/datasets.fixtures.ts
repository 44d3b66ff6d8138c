// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Signal } from '@lumino/signaling';

import type {
  AttachedDataset,
  DatasetStatus,
  DatasetVersionList,
  ListedVersion
} from '../api/schema';
import type { IDatasetsState } from '../tokens';

/** A version of a dataset. */
export function aVersion(fields: Partial<ListedVersion> = {}): ListedVersion {
  return {
    id: 'aaaabbbbcccc',
    created: '2026-02-03T04:05:06Z',
    author: 'ada',
    message: 'As downloaded\n\nfrom the tap',
    runs: [],
    uses: [],
    total_uses: 0,
    ...fields
  };
}

/** A dataset that is attached for reading, in its newest version. */
export function aDataset(
  fields: Partial<AttachedDataset> = {}
): AttachedDataset {
  const version = {
    id: 'aaaabbbbcccc',
    created: '2026-02-03T04:05:06Z',
    author: 'ada',
    message: 'As downloaded'
  };
  return {
    name: 'iris',
    id: 'd1',
    path: 'datasets/iris',
    folder: 'team/iris/datasets/iris',
    mode: 'read',
    pinned: null,
    place: 'there',
    version,
    newest: version,
    newer: false,
    remote: null,
    error: '',
    ...fields
  };
}

/** What is attached. */
export function theDatasets(
  items: AttachedDataset[] = [aDataset()],
  fields: Partial<DatasetStatus> = {}
): DatasetStatus {
  return { items, work: null, error: '', code: '', ...fields };
}

/** What is known of datasets, by hand. */
export class FakeDatasets implements IDatasetsState {
  constructor(public status: DatasetStatus | null) {}

  readonly changed: Signal<IDatasetsState, void> = new Signal<
    IDatasetsState,
    void
  >(this);

  load = jest.fn(async () => undefined);

  versions = jest.fn(
    async (name: string, offset: number): Promise<DatasetVersionList> => ({
      items: [],
      total: 0,
      offset
    })
  );

  set(status: DatasetStatus | null): void {
    this.status = status;
    this.changed.emit();
  }
}
