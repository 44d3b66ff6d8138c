// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';

import type { RunDetail } from '../api/schema';
import { formatBytes } from './format';

/**
 * What is known of an environment besides its packages; the order is the order of display.
 */
export const ENVIRONMENT_FACTS = [
  'python',
  'executable',
  'platform',
  'cpu',
  'gpu',
  'ram',
  'git',
  'branch',
  'dirty',
  'repository',
  'image',
  'digest'
] as const;

/**
 * The name of something known of an environment.
 */
export type EnvironmentFact = (typeof ENVIRONMENT_FACTS)[number];

/**
 * An environment in a form that can be shown and compared.
 */
export interface IEnvironment {
  /**
   * What is known; what is not is left out.
   */
  facts: Partial<Record<EnvironmentFact, string>>;

  /**
   * Versions of installed distributions by name.
   */
  packages: Record<string, string>;
}

/**
 * Read the environment of a run (section 2 of docs/run-format.md).
 *
 * #### Notes
 * It was written by the user's program, so nothing is taken for granted.
 */
export function readEnvironment(
  environment: RunDetail['environment']
): IEnvironment {
  const root = asObject(environment);
  const python = asObject(root.python);
  const platform = asObject(root.platform);
  const cpu = asObject(root.cpu);
  const git = asObject(root.git);
  const image = asObject(root.image);
  const facts: IEnvironment['facts'] = {};

  const put = (fact: EnvironmentFact, ...parts: unknown[]): void => {
    const text = parts
      .filter(part => typeof part === 'string' || typeof part === 'number')
      .map(String)
      .filter(part => part !== '')
      .join(' ');
    if (text) {
      facts[fact] = text;
    }
  };

  put('python', python.implementation, python.version);
  put('executable', python.executable);
  if (platform.text) {
    put('platform', platform.text);
  } else {
    put('platform', platform.system, platform.release, platform.machine);
  }
  put(
    'cpu',
    cpu.model,
    typeof cpu.count === 'number' ? `× ${cpu.count}` : undefined
  );
  if (Array.isArray(root.gpu)) {
    put('gpu', root.gpu.map(String).join(', '));
  }
  if (typeof root.ram === 'number') {
    put('ram', formatBytes(root.ram));
  }
  put('git', git.commit);
  put('branch', git.branch);
  if (typeof git.dirty === 'boolean') {
    facts.dirty = String(git.dirty);
  }
  put('repository', git.root);
  put('image', image.name);
  put('digest', image.digest);

  const packages: Record<string, string> = {};
  for (const [name, version] of Object.entries(asObject(root.packages))) {
    packages[name] = String(version);
  }
  return { facts, packages };
}

/**
 * What to call something known of an environment.
 */
export function environmentLabel(
  fact: EnvironmentFact,
  trans: TranslationBundle
): string {
  switch (fact) {
    case 'python':
      return trans.__('Python');
    case 'executable':
      return trans.__('Interpreter');
    case 'platform':
      return trans.__('Platform');
    case 'cpu':
      return trans.__('CPU');
    case 'gpu':
      return trans.__('GPU');
    case 'ram':
      return trans.__('Memory');
    case 'git':
      return trans.__('Git commit');
    case 'branch':
      return trans.__('Git branch');
    case 'dirty':
      return trans.__('Uncommitted changes');
    case 'repository':
      return trans.__('Git repository');
    case 'image':
      return trans.__('Image');
    case 'digest':
      return trans.__('Image digest');
  }
}

/**
 * How to show something known of an environment.
 */
export function environmentValue(
  fact: EnvironmentFact,
  value: string,
  trans: TranslationBundle
): string {
  if (fact !== 'dirty') {
    return value;
  }
  return value === 'true' ? trans.__('Yes') : trans.__('No');
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
