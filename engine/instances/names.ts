/** Names of instances: what is allowed (Docker's rule), and those that are made up: an adjective and a thing of the sea, as in "quiet_harbor". */
import { randomBytes, randomInt } from 'node:crypto';

export const INSTANCE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

const HOW = `able agile airy amber ample bold brave breezy brief bright brisk calm candid clear clever coastal cobalt cool coral crisp curious dapper daring
deft eager early easy even fair fast fleet fond free fresh gentle glad golden grand green hardy hasty honest humble jolly keen kind light lively loyal lucid
lunar mellow merry mild misty modest neat nimble noble northern patient placid plucky polite prompt proud quick quiet rapid ready robust round rustic salty
sandy serene sharp silent silver simple sleek sly smooth snug sober solar solid southern spry stable steady stern still sturdy subtle sunny sure swift
tidal tidy trim trusty upbeat vivid warm western wise witty young zesty`.split(/\s+/);

const WHAT = `albatross anchor anchovy atoll ballast barge barnacle barque bay beacon bight boatswain bollard bow breaker brig buoy canoe cape capstan caravel catamaran
channel clipper coast cod compass coracle cormorant cove coxswain crab current cutter deck delta dinghy dock dolphin dory drifter dugong eddy estuary ferry
fjord frigate galleon galley gannet groyne gull gunwale halyard harbor haven hawser heron herring hold inlet isle jetty jib kayak keel kelp ketch lagoon
launch lighthouse limpet lobster lugger mackerel mainsail manatee mast mussel narwhal nautilus oar octopus orca osprey otter oyster packet pelican penguin petrel
pier pilot plankton plover porpoise port prow puffin quay raft reef rigging rudder sail sandbank schooner scow scupper seal sextant shoal shore skiff sloop
sound spar spinnaker starboard starfish stern strait sturgeon surf tender tern tide tiller trawler trident tug turtle urchin walrus wave wharf whale wherry yacht yawl`.split(/\s+/);

const pick = (words: readonly string[]) => words[randomInt(words.length)] as string;

/** A name that `isTaken` does not know: with a digit after some tries, as Docker does. */
export function makeName(isTaken: (name: string) => boolean): string {
  for (let i = 0; ; i++) {
    const name = `${pick(HOW)}_${pick(WHAT)}${i < 6 ? '' : randomInt(10 ** Math.min(i - 5, 6))}`;
    if (!isTaken(name)) return name;
  }
}

/** 64 hexadecimal digits; never only decimal ones in the first twelve, so that a short id is no number (as Docker has it). */
export function makeId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}
