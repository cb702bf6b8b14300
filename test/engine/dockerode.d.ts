/** What the tests use of dockerode 4, which has no types of its own. */
declare module 'dockerode' {
  namespace Docker {
    type Options = Readonly<Record<string, unknown>>;

    interface Exec {
      start(options: Options): Promise<import('node:stream').Duplex>;
      inspect(): Promise<object>;
    }

    interface Container {
      readonly id: string;
      readonly modem: Modem;
      start(): Promise<void>;
      stop(): Promise<void>;
      kill(): Promise<void>;
      pause(): Promise<void>;
      unpause(): Promise<void>;
      wait(): Promise<{ readonly StatusCode: number }>;
      remove(options?: Options): Promise<void>;
      rename(options: Options): Promise<void>;
      resize(options: Options): Promise<void>;
      update(options: Options): Promise<object>;
      inspect(): Promise<object>;
      top(): Promise<object>;
      stats(options: Options): Promise<object>;
      logs(options: Options): Promise<Buffer>;
      exec(options: Options): Promise<Exec>;
      attach(options: Options): Promise<import('node:stream').Duplex>;
      changes(): Promise<readonly object[]>;
      export(): Promise<NodeJS.ReadableStream>;
      commit(options: Options): Promise<object>;
      restart(options: Options): Promise<void>;
      getArchive(options: Options): Promise<NodeJS.ReadableStream>;
      infoArchive(options: Options): Promise<unknown>;
      putArchive(file: string, options: Options): Promise<unknown>;
    }

    interface Image {
      inspect(): Promise<object>;
      history(): Promise<readonly object[]>;
      tag(options: Options): Promise<void>;
      get(): Promise<NodeJS.ReadableStream>;
      push(options: Options): Promise<NodeJS.ReadableStream>;
      distribution(): Promise<object>;
      remove(): Promise<readonly object[]>;
    }

    /** A volume, or a network. */
    interface Thing {
      connect(options: Options): Promise<unknown>;
      disconnect(options: Options): Promise<unknown>;
      inspect(): Promise<object>;
      remove(): Promise<void>;
    }

    interface Modem {
      demuxStream(from: NodeJS.ReadableStream, stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream): void;
      followProgress(stream: NodeJS.ReadableStream, done: (error: Error | null, all: readonly { readonly stream?: string; readonly error?: string }[]) => void): void;
    }
  }

  class Docker {
    constructor(options: Docker.Options);
    readonly modem: Docker.Modem;
    createContainer(options: Docker.Options): Promise<Docker.Container>;
    getContainer(id: string): Docker.Container;
    listContainers(options?: Docker.Options): Promise<readonly { readonly Id: string }[]>;
    pruneContainers(): Promise<{ readonly ContainersDeleted: readonly string[] }>;
    run(image: string, command: readonly string[], stream: NodeJS.WritableStream | readonly NodeJS.WritableStream[], options: Docker.Options): Promise<readonly unknown[]>;
    run(image: string, command: readonly string[], stream: NodeJS.WritableStream, options: Docker.Options, done: (error: Error | null, data: { readonly StatusCode: number }, container: Docker.Container) => void): NodeJS.EventEmitter;
    buildImage(context: Docker.Options | string, options: Docker.Options): Promise<NodeJS.ReadableStream>;
    getImage(name: string): Docker.Image;
    listImages(options: Docker.Options): Promise<readonly object[]>;
    createNetwork(options: Docker.Options): Promise<Docker.Thing>;
    listNetworks(options: Docker.Options): Promise<readonly object[]>;
    createVolume(options: Docker.Options): Promise<object>;
    getVolume(name: string): Docker.Thing;
    listVolumes(options: Docker.Options): Promise<object>;
    createImage(options: Docker.Options): Promise<NodeJS.ReadableStream>;
    importImage(file: string, options: Docker.Options): Promise<NodeJS.ReadableStream>;
    loadImage(file: string, options: Docker.Options): Promise<NodeJS.ReadableStream>;
    pull(name: string, options: Docker.Options): Promise<NodeJS.ReadableStream>;
    checkAuth(options: Docker.Options): Promise<object>;
    searchImages(options: Docker.Options): Promise<readonly object[]>;
    getEvents(options: Docker.Options): Promise<NodeJS.ReadableStream>;
    pruneImages(options: Docker.Options): Promise<object>;
    pruneVolumes(options: Docker.Options): Promise<object>;
    pruneNetworks(options: Docker.Options): Promise<object>;
    pruneBuilder(): Promise<object>;
    swarmInit(options: Docker.Options): Promise<unknown>;
    swarmInspect(): Promise<unknown>;
    listServices(): Promise<readonly object[]>;
    listPlugins(): Promise<readonly object[]>;
    ping(): Promise<unknown>;
    version(): Promise<object>;
    info(): Promise<object>;
    df(): Promise<object>;
  }

  export = Docker;
}
