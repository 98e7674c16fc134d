/* Patterns: when steps are due, to the sample, and what they play. Positions are whole ticks, times are fractions of whole numbers: nothing
   adds up and nothing drifts. */
#include "player.h"

enum { SIXTEENTH = TS_TICKS / 4, TEMPO_SCALE = 1000 };

/* --- time ----------------------------------------------------------------------------------------------------------------------------- */

/* samples a tick = rate * 60 * 1000 / (tempo * TS_TICKS) = rate * 125 / (tempo * 84) */
void clock_tempo(Clock *clock, int32_t rate, int64_t tempo) { clock->over = (int64_t)rate * 125, clock->under = tempo * 84; }

/* The exact place of a tick: whole samples, and a fraction in 2^-32. */
static int64_t place_of(const Clock *clock, int64_t tick, uint32_t *part) {
  const int64_t ticks = tick - clock->tick, turns = ticks / clock->under - (ticks % clock->under < 0); /* rounded down */
  const int64_t rest = (ticks - turns * clock->under) * clock->over;
  const uint64_t fraction = ((uint64_t)(rest % clock->under) << 32) / (uint64_t)clock->under + clock->part;
  *part = (uint32_t)fraction;
  return clock->whole + turns * clock->over + rest / clock->under + (int64_t)(fraction >> 32);
}

int64_t clock_sample(const Clock *clock, int64_t tick) {
  uint32_t part;
  const int64_t whole = place_of(clock, tick, &part);
  return whole + (part >= UINT32_C(1) << 31);
}

void clock_move(Clock *clock, int64_t tick) {
  uint32_t part;
  const int64_t whole = place_of(clock, tick, &part);
  clock->tick = tick, clock->whole = whole, clock->part = part;
}

int64_t clock_tick(const Clock *clock, int64_t sample) {
  const int64_t gone = sample - clock->whole > 0 ? sample - clock->whole : 0, turns = gone / clock->over;
  int64_t tick = clock->tick + turns * clock->under + gone % clock->over * clock->under / clock->over;
  while (tick > clock->tick && clock_sample(clock, tick - 1) >= sample) tick--;
  while (clock_sample(clock, tick) < sample) tick++;
  return tick;
}

/* --- steps ---------------------------------------------------------------------------------------------------------------------------- */

static int64_t step_ticks(const ts_lane *lane) { return TS_TICKS / lane->division; }

/* Where a step begins: the second one of a pair is late by swing. */
static int64_t onset(const ts_lane *lane, int64_t number) {
  const int64_t ticks = step_ticks(lane);
  const int64_t late = (int64_t)ts_floor((double)ticks * (2.0 * (double)lane->swing - 1.0) + 0.5);
  return number * ticks + (number & 1 ? late : 0);
}

static double drawn(uint64_t seed, int32_t lane, int64_t number, int64_t what) {
  Noise noise;
  double value;
  noise_open(&noise, seed, NOISE_SEQUENCE, (uint64_t)lane, (uint64_t)number, (uint64_t)what);
  noise_uniform(&noise, &value, 1);
  return value;
}

/* A random value from -1 to 1 every `period` steps, and a smooth line between. */
static float walk(const ts_lane *lane, int32_t index, uint64_t seed, int64_t number, int32_t what) {
  const ts_walk *walk = lane->walks + what;
  if (walk->depth == 0.0f) return 0.0f;
  const int64_t turn = number / walk->period;
  const double t = (double)(number % walk->period) / walk->period, smooth = t * t * (3.0 - 2.0 * t);
  const double from = drawn(seed, index, turn, TS_STEPS + what), to = drawn(seed, index, turn + 1, TS_STEPS + what);
  return walk->depth * (float)(2.0 * (from + smooth * (to - from)) - 1.0);
}

static float within(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

static void hit_of(const ts_lane *lane, int32_t index, const ts_step *step, uint64_t seed, int64_t number, ts_hit *hit) {
  hit->tick = onset(lane, number), hit->length = onset(lane, number + 1) - hit->tick;
  hit->played = step->velocity > 0.0f;
  if (hit->played && step->chance < 1.0f)
    hit->played = drawn(seed, index, number / lane->length, number % lane->length) < (double)step->chance;
  hit->ratchets = step->ratchets;
  hit->velocity = within(step->velocity + walk(lane, index, seed, number, TS_WALK_VELOCITY), 1.0f, 127.0f);
  hit->pan = within(lane->voice.pan + walk(lane, index, seed, number, TS_WALK_PAN), -1.0f, 1.0f);
  hit->tune = within(lane->voice.tune + step->tune + walk(lane, index, seed, number, TS_WALK_TUNE), -24.0f, 24.0f);
  hit->start = within(lane->voice.start + walk(lane, index, seed, number, TS_WALK_START), 0.0f, 3600.0f);
  hit->decay = lane->voice.decay;
  if (lane->walks[TS_WALK_DECAY].depth != 0.0f) /* never 0, which would be to the end */
    hit->decay = within(hit->decay + walk(lane, index, seed, number, TS_WALK_DECAY), 0.001f, 60.0f);
}

ts_status ts_lane_hit(const ts_lane *lane, int32_t index, const ts_step *step, uint64_t seed, int64_t number, ts_hit *out) {
  if (!lane || !step || !out || index < 0 || index >= TS_LANES || number < 0 || number > INT64_C(1) << 40) return TS_ARGUMENT;
  if (!lane_fits(lane, INT32_MAX) || !step_fits(step)) return TS_ARGUMENT;
  hit_of(lane, index, step, seed, number, out);
  return TS_OK;
}

/* --- playing -------------------------------------------------------------------------------------------------------------------------- */

/* The next step of a lane, or the next ratchet of its step. */
static void set_due(ts_player *player, int32_t index) {
  Lane *lane = player->lanes + index;
  if (lane->ratchet == 0)
    hit_of(&lane->lane, index, lane->steps + lane->number % lane->lane.length, player->seed, lane->number, &lane->hit);
  lane->due = clock_sample(&player->clock, lane->hit.tick + lane->hit.length * lane->ratchet / lane->hit.ratchets);
}

/* The first step from a tick on that was not played yet. */
static void seek_lane(ts_player *player, int32_t index, int64_t tick) {
  Lane *lane = player->lanes + index;
  tick = tick > lane->done ? tick : lane->done + 1;
  lane->number = tick / step_ticks(&lane->lane);
  lane->number -= lane->number > 0;
  while (onset(&lane->lane, lane->number) < tick) lane->number++;
  lane->ratchet = 0;
  set_due(player, index);
}

void player_start(ts_player *player, int64_t tick) {
  player_stop(player);
  tick = tick < 0 ? player->stopped : tick;
  player->clock.tick = tick, player->clock.whole = player->now, player->clock.part = 0;
  player->playing = 1;
  for (int32_t i = 0; i < TS_LANES; i++) {
    player->lanes[i].done = -1;
    seek_lane(player, i, tick);
  }
}

void player_stop(ts_player *player) {
  if (!player->playing) return;
  player->stopped = clock_tick(&player->clock, player->now);
  player->playing = 0;
  if (player->next_tempo) player->tempo = player->next_tempo, player->next_tempo = 0;
  clock_tempo(&player->clock, player->rate, player->tempo);
  for (int32_t i = 0; i < player->voice_slots; i++) {
    Voice *voice = player->voices + i;
    if (atomic_load_explicit(&voice->samples, memory_order_relaxed) && voice->id < 0) voice_let_go(voice);
  }
}

void player_tempo(ts_player *player, int64_t tempo) {
  if (!player->playing) {
    player->tempo = (int32_t)tempo;
    clock_tempo(&player->clock, player->rate, tempo);
    return;
  }
  player->border = (clock_tick(&player->clock, player->now) + SIXTEENTH - 1) / SIXTEENTH * SIXTEENTH;
  player->border_due = clock_sample(&player->clock, player->border);
  player->next_tempo = (int32_t)tempo;
}

static void change_tempo(ts_player *player) {
  clock_move(&player->clock, player->border);
  player->tempo = player->next_tempo, player->next_tempo = 0;
  clock_tempo(&player->clock, player->rate, player->tempo);
  for (int32_t i = 0; i < TS_LANES; i++) set_due(player, i);
}

void player_levels(ts_player *player) {
  int solo = 0;
  for (int32_t i = 0; i < TS_LANES; i++) solo |= player->lanes[i].lane.solo;
  for (int32_t i = 0; i < TS_LANES; i++) {
    Lane *lane = player->lanes + i;
    ramp_to(&lane->level, lane->lane.mute || (solo && !lane->lane.solo) ? 0.0f : lane->lane.level, player->now, player->fade);
  }
}

void player_lane(ts_player *player, int32_t index, const ts_lane *settings) {
  Lane *lane = player->lanes + index;
  const ts_lane *old = &lane->lane;
  const int moved = old->length != settings->length || old->division != settings->division || old->swing != settings->swing;
  lane->lane = *settings;
  player_levels(player);
  if (moved && player->playing) seek_lane(player, index, clock_tick(&player->clock, player->now));
}

int64_t player_next(const ts_player *player) {
  if (!player->playing) return NEVER;
  int64_t next = player->next_tempo ? player->border_due : NEVER;
  for (int32_t i = 0; i < TS_LANES; i++) next = player->lanes[i].due < next ? player->lanes[i].due : next;
  return next;
}

static void play_step(ts_player *player, int32_t index) {
  Lane *lane = player->lanes + index;
  const ts_step *step = lane->steps + lane->number % lane->lane.length;
  if (lane->ratchet == 0) set_due(player, index); /* settings may have changed since */
  const ts_hit *hit = &lane->hit;
  lane->done = hit->tick;
  if (hit->played && lane->level.to > 0.0f) {
    ts_voice voice = lane->lane.voice;
    voice.pan = hit->pan, voice.tune = hit->tune, voice.start = hit->start, voice.decay = hit->decay;
    int64_t held = step->gate > 0.0f ? (int64_t)ts_floor((double)step->gate * (double)step_ticks(&lane->lane) + 0.5) : hit->length;
    held = held / hit->ratchets > 1 ? held / hit->ratchets : 1;
    const int64_t tick = hit->tick + hit->length * lane->ratchet / hit->ratchets;
    player_voice(player, index, -1, hit->velocity, &voice, clock_sample(&player->clock, tick + held) - player->now);
  }
  lane->ratchet++;
  if (!hit->played || lane->ratchet >= hit->ratchets) lane->ratchet = 0, lane->number++;
  set_due(player, index);
}

void player_steps_due(ts_player *player) {
  if (player->playing && player->next_tempo && player->border_due <= player->now) change_tempo(player);
  for (int32_t i = 0; i < TS_LANES; i++)
    while (player->playing && player->lanes[i].due <= player->now) play_step(player, i);
}
