/* The other thread's side of a player: everything is checked here, and put into the queue. */
#include "player.h"

static int in(double x, double low, double high) { return x >= low && x <= high; } /* no for NaN */

void ts_voice_defaults(ts_voice *out) { *out = (ts_voice){.gain = 1.0f, .release = 0.05f}; }

void ts_lane_defaults(ts_lane *out) {
  *out = (ts_lane){.length = 16, .division = 4, .level = 1.0f, .swing = 0.5f};
  ts_voice_defaults(&out->voice);
  for (int i = 0; i < TS_WALKS; i++) out->walks[i].period = 16;
}

int voice_fits(const ts_voice *v, int32_t sounds) {
  return v->sound >= -1 && v->sound < sounds && v->choke >= 0 && (v->reverse & ~1) == 0 && (v->held & ~1) == 0 && in(v->gain, 0, 4) &&
         in(v->pan, -1, 1) && in(v->tune, -24, 24) && in(v->start, 0, 3600) && in(v->attack, 0, 60) && in(v->hold, 0, 60) &&
         in(v->decay, 0, 60) && in(v->release, 0, 60);
}

int lane_fits(const ts_lane *lane, int32_t sounds) {
  for (int i = 0; i < TS_WALKS; i++) {
    const ts_walk *walk = lane->walks + i;
    if (walk->depth != 0.0f && (!in(walk->depth, -3600, 3600) || walk->period < 1 || walk->period > 1024)) return 0;
  }
  return voice_fits(&lane->voice, sounds) && lane->length >= 1 && lane->length <= TS_STEPS && lane->division >= 1 && lane->division <= 16 &&
         TS_TICKS % lane->division == 0 && (lane->mute & ~1) == 0 && (lane->solo & ~1) == 0 && in(lane->level, 0, 4) &&
         in(lane->swing, 0.5, 0.75);
}

int step_fits(const ts_step *step) {
  return (step->velocity == 0.0f || in(step->velocity, 1, 127)) && in(step->chance, 0, 1) && in(step->tune, -48, 48) &&
         in(step->gate, 0, 64) && step->ratchets >= 1 && step->ratchets <= 8;
}

Status player_put(ts_player *player, Command command) { return queue_put(&player->queue, &command, 1); }

ts_status ts_player_sound(ts_player *player, int32_t slot, const float *samples, int32_t channels, int64_t length, int32_t sample_rate) {
  if (slot < 0 || slot >= player->sounds || length < 0 || length > 1 << 30) return TS_ARGUMENT;
  if (length > 0 && (!samples || channels < 1 || channels > 2 || sample_rate < 8000 || sample_rate > 192000)) return TS_ARGUMENT;
  ts_status status = player_put(player, (Command){PUT_SOUND, slot, 0, .sound = {samples, length, channels, sample_rate}});
  player->sounds_sent += status == TS_OK;
  return status;
}

ts_status ts_player_play(ts_player *player, int64_t time, int32_t lane, int32_t id, float velocity, const ts_voice *voice) {
  if (!voice || !voice_fits(voice, player->sounds) || lane < -1 || lane >= TS_LANES || id < 0 || !in(velocity, 1, 127)) return TS_ARGUMENT;
  return player_put(player, (Command){PUT_PLAY, lane, time, .play = {*voice, id, velocity}});
}

ts_status ts_player_release(ts_player *player, int64_t time, int32_t id) {
  return id < 0 ? TS_ARGUMENT : player_put(player, (Command){PUT_RELEASE, id, time, .gain = 0.0f});
}

ts_status ts_player_bend(ts_player *player, int64_t time, int32_t id, float semitones) {
  return id < 0 || !in(semitones, -24, 24) ? TS_ARGUMENT : player_put(player, (Command){PUT_BEND, id, time, .gain = semitones});
}

ts_status ts_player_silence(ts_player *player, int64_t time, int32_t lane) {
  return lane < -1 || lane >= TS_LANES ? TS_ARGUMENT : player_put(player, (Command){PUT_SILENCE, lane, time, .gain = 0.0f});
}

ts_status ts_player_master(ts_player *player, int64_t time, float gain) {
  return in(gain, 0, 16) ? player_put(player, (Command){PUT_MASTER, 0, time, .gain = gain}) : TS_ARGUMENT;
}

ts_status ts_player_lane(ts_player *player, int64_t time, int32_t index, const ts_lane *lane) {
  if (!lane || index < 0 || index >= TS_LANES || !lane_fits(lane, player->sounds)) return TS_ARGUMENT;
  return player_put(player, (Command){PUT_LANE, index, time, .lane = *lane});
}

ts_status ts_player_steps(ts_player *player, int64_t time, int32_t lane, int32_t first, int32_t count, const ts_step *steps) {
  enum { EACH = 5 };
  Command commands[(TS_STEPS + EACH - 1) / EACH];
  uint32_t used = 0;
  if (!steps || lane < 0 || lane >= TS_LANES || first < 0 || count < 0 || count > TS_STEPS || first > TS_STEPS - count) return TS_ARGUMENT;
  for (int32_t i = 0; i < count; i++)
    if (!step_fits(steps + i)) return TS_ARGUMENT;
  for (int32_t i = 0; i < count; i += EACH, used++) {
    commands[used] = (Command){PUT_STEPS, lane, time, .steps = {first + i, count - i < EACH ? count - i : EACH, {{0}}}};
    for (int32_t k = 0; k < commands[used].steps.count; k++) commands[used].steps.steps[k] = steps[i + k];
  }
  return queue_put(&player->queue, commands, used);
}

ts_status ts_player_seed(ts_player *player, int64_t time, uint64_t seed) {
  return player_put(player, (Command){PUT_SEED, 0, time, .seed = seed});
}

ts_status ts_player_tempo(ts_player *player, int64_t time, double tempo) {
  if (!in(tempo, 10, 999)) return TS_ARGUMENT;
  return player_put(player, (Command){PUT_TEMPO, 0, time, .tempo = (int64_t)ts_floor(tempo * 1000.0 + 0.5)});
}

ts_status ts_player_start(ts_player *player, int64_t time, int64_t tick) {
  return tick < -1 || tick > INT64_C(1) << 40 ? TS_ARGUMENT : player_put(player, (Command){PUT_START, 0, time, .tick = tick});
}

ts_status ts_player_stop(ts_player *player, int64_t time) { return player_put(player, (Command){PUT_STOP, 0, time, .tick = 0}); }

/* Groups of steps, the rest of them dealt out one to each group until at most one is left (Bjorklund 2003; Toussaint 2005). */
uint64_t ts_euclid(int32_t pulses, int32_t steps, int32_t rotation) {
  if (steps < 1 || steps > TS_STEPS || pulses <= 0) return 0;
  if (pulses >= steps) return steps == 64 ? ~UINT64_C(0) : (UINT64_C(1) << steps) - 1;
  uint64_t many = 1, few = 0, result = 0;
  int32_t many_size = 1, few_size = 1, many_count = pulses, few_count = steps - pulses, at = 0;
  do {
    const uint64_t joined = many | few << many_size;
    const int32_t pairs = many_count < few_count ? many_count : few_count, size = many_size + few_size;
    if (many_count > few_count) {
      few = many, few_size = many_size, few_count = many_count - pairs;
    } else {
      few_count -= pairs;
    }
    many = joined, many_size = size, many_count = pairs;
  } while (few_count > 1);
  for (int32_t i = 0; i < many_count; i++, at += many_size) result |= many << at;
  for (int32_t i = 0; i < few_count; i++, at += few_size) result |= few << at;
  const int32_t turn = (rotation % steps + steps) % steps;
  uint64_t turned = 0;
  for (int32_t i = 0; i < steps; i++) turned |= (result >> (i + turn) % steps & 1) << i;
  return turned;
}
