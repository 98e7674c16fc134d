/* The player: its memory, and the audio thread's side. */
#include "held.h"

static int options_fit(const ts_player_options *o) {
  return o && o->sample_rate >= 8000 && o->sample_rate <= 192000 && o->voices >= 1 && o->voices <= 256 && o->sounds >= 1 &&
         o->sounds <= 4096 && o->commands >= 64 && o->commands <= 65536 && o->curve >= 0.0f && o->curve <= 4.0f;
}

void ts_player_defaults(ts_player_options *out) { *out = (ts_player_options){44100, 64, 128, 2048, 1.5f}; }

static Status fill(ts_player *player, const ts_player_options *options, Arena *arena) {
  player->rate = options->sample_rate, player->voice_limit = options->voices, player->voice_slots = 2 * options->voices;
  player->sounds = options->sounds, player->curve = options->curve;
  player->fade = options->sample_rate / 200;
  player->voices = TAKE(arena, Voice, player->voice_slots), player->sound = TAKE(arena, Sound, player->sounds);
  Status status = queue_open(&player->queue, options->commands, arena);
  if (kernels_open(player->kernels, arena) != TS_OK || status != TS_OK || !player->voices || !player->sound) return TS_MEMORY;
  for (int32_t i = 0; i < player->voice_slots; i++) player->voices[i] = (Voice){0};
  for (int32_t i = 0; i < player->sounds; i++) player->sound[i] = (Sound){0};
  player->master = (Ramp){1.0f, 1.0f, -player->fade};
  player->tempo = 120000;
  clock_tempo(&player->clock, player->rate, player->tempo);
  for (int32_t i = 0; i < TS_LANES; i++) {
    Lane *lane = player->lanes + i;
    ts_lane_defaults(&lane->lane);
    lane->lane.voice.sound = -1;
    lane->level = (Ramp){1.0f, 1.0f, -player->fade};
    for (int32_t k = 0; k < TS_STEPS; k++) lane->steps[k] = (ts_step){0.0f, 1.0f, 0.0f, 0.0f, 1};
  }
  atomic_store_explicit(&player->seen_tempo, player->tempo, memory_order_relaxed);
  return TS_OK;
}

size_t ts_player_size(const ts_player_options *options) {
  if (!options_fit(options)) return 0;
  size_t power = 64;
  while (power < (size_t)options->commands) power *= 2;
  size_t size = sizeof(ts_player) + 2 * (size_t)options->voices * sizeof(Voice) + (size_t)options->sounds * sizeof(Sound);
  size += power * (2 * sizeof(Command) + sizeof(Waiting) + sizeof(uint32_t));
  return size + ALL_TAPS * (PHASES + 1) * sizeof(float) + 64 * 16;
}

ts_status ts_player_open(const ts_player_options *options, ts_memory *memory, ts_player **out) {
  if (!memory) return TS_ARGUMENT;
  memory->used = 0, memory->message[0] = 0;
  if (!options_fit(options) || !out) return TS_ARGUMENT;
  Arena arena = {memory->base, memory->base ? memory->size : 0, 0, 0};
  ts_player *player = memory->base ? TAKE(&arena, ts_player, 1) : NULL;
  if (!player) return TS_MEMORY;
  *player = (ts_player){0};
  Status status = fill(player, options, &arena);
  memory->used = arena.peak;
  if (status == TS_OK) *out = player;
  return status;
}

static void change_sound(ts_player *player, const Command *command) {
  Sound *sound = player->sound + command->index;
  for (int32_t i = 0; i < player->voice_slots; i++) {
    Voice *voice = player->voices + i;
    if (atomic_load_explicit(&voice->samples, memory_order_relaxed) && voice->slot == command->index) voice_fade(player, voice);
  }
  sound->length = command->sound.length, sound->channels = command->sound.channels, sound->rate = command->sound.rate;
  atomic_store_explicit(&sound->samples, command->sound.length > 0 ? command->sound.samples : NULL, memory_order_release);
  atomic_fetch_add_explicit(&player->sounds_done, 1, memory_order_release);
}

static void carry_out(ts_player *player, const Command *command) {
  switch (command->kind) {
  case PUT_SOUND: change_sound(player, command); break;
  case PUT_PLAY: player_voice(player, command->index, command->play.id, command->play.velocity, &command->play.voice, NEVER); break;
  case PUT_RELEASE:
  case PUT_BEND:
  case PUT_SILENCE:
    for (int32_t i = 0; i < player->voice_slots; i++) {
      Voice *voice = player->voices + i;
      if (!atomic_load_explicit(&voice->samples, memory_order_relaxed)) continue;
      if (command->kind == PUT_RELEASE && voice->id == command->index) voice_let_go(voice);
      if (command->kind == PUT_BEND && voice->id == command->index) voice_bend(player, voice, command->gain);
      if (command->kind == PUT_SILENCE && (command->index < 0 || voice->lane == command->index)) voice_fade(player, voice);
    }
    if (player->held && command->kind == PUT_RELEASE) held_release(player, command->index);
    if (player->held && command->kind == PUT_SILENCE && command->index < 0) held_silence(player);
    break;
  case PUT_MASTER: ramp_to(&player->master, command->gain, player->now, player->fade); break;
  case PUT_LANE: player_lane(player, command->index, &command->lane); break;
  case PUT_STEPS:
    for (int32_t i = 0; i < command->steps.count; i++)
      player->lanes[command->index].steps[command->steps.first + i] = command->steps.steps[i];
    break;
  case PUT_SEED: player->seed = command->seed; break;
  case PUT_TEMPO: player_tempo(player, command->tempo); break;
  case PUT_START: player_start(player, command->tick); break;
  case PUT_STOP: player_stop(player); break;
  default: held_carry_out(player, command); break;
  }
}

static void show(ts_player *player) {
  int32_t voices = player->held ? held_sounding(player) : 0;
  union {
    float value;
    uint32_t bits;
  } peak = {player->peak};
  for (int32_t i = 0; i < player->voice_slots; i++)
    voices += atomic_load_explicit(&player->voices[i].samples, memory_order_relaxed) != NULL;
  const int64_t tick = player->playing ? clock_tick(&player->clock, player->now) : player->stopped;
  atomic_store_explicit(&player->seen_time, player->now, memory_order_relaxed);
  atomic_store_explicit(&player->seen_tick, tick, memory_order_relaxed);
  atomic_store_explicit(&player->seen_playing, player->playing, memory_order_relaxed);
  atomic_store_explicit(&player->seen_voices, voices, memory_order_relaxed);
  atomic_store_explicit(&player->seen_waiting, (int32_t)player->queue.waiting, memory_order_relaxed);
  atomic_store_explicit(&player->seen_tempo, player->tempo, memory_order_relaxed);
  atomic_store_explicit(&player->seen_peak, peak.bits, memory_order_relaxed);
}

void ts_player_process(ts_player *player, float *left, float *right, int32_t frames) {
  player->peak = 0.0f;
  queue_take(&player->queue, player->now);
  for (int32_t done = 0; done < frames;) {
    while (queue_next(&player->queue) <= player->now) carry_out(player, queue_pop(&player->queue));
    player_steps_due(player);
    int64_t next = player->now + (frames - done < CHUNK ? frames - done : CHUNK);
    const int64_t command = queue_next(&player->queue), step = player_next(player);
    next = command < next ? command : next, next = step < next ? step : next;
    const int32_t count = (int32_t)(next - player->now);
    player_mix(player, left + done, right + done, count);
    player->now = next, done += count;
  }
  show(player);
}

int32_t ts_player_uses(const ts_player *player, const float *samples) {
  if (!samples) return 0;
  if (atomic_load_explicit(&player->sounds_done, memory_order_acquire) != player->sounds_sent) return 1;
  for (int32_t i = 0; i < player->sounds; i++)
    if (atomic_load_explicit(&player->sound[i].samples, memory_order_acquire) == samples) return 1;
  for (int32_t i = 0; i < player->voice_slots; i++)
    if (atomic_load_explicit(&player->voices[i].samples, memory_order_acquire) == samples) return 1;
  return 0;
}

void ts_player_read(const ts_player *player, ts_player_state *out) {
  union {
    uint32_t bits;
    float value;
  } peak = {atomic_load_explicit(&player->seen_peak, memory_order_relaxed)};
  const uint32_t tail = atomic_load_explicit(&player->queue.tail, memory_order_relaxed);
  out->time = atomic_load_explicit(&player->seen_time, memory_order_relaxed);
  out->tick = atomic_load_explicit(&player->seen_tick, memory_order_relaxed);
  out->playing = atomic_load_explicit(&player->seen_playing, memory_order_relaxed);
  out->voices = atomic_load_explicit(&player->seen_voices, memory_order_relaxed);
  out->waiting = atomic_load_explicit(&player->seen_waiting, memory_order_relaxed);
  out->waiting += (int32_t)(tail - atomic_load_explicit(&player->queue.head, memory_order_acquire));
  out->peak = peak.value;
  out->tempo = atomic_load_explicit(&player->seen_tempo, memory_order_relaxed) / 1000.0;
}
