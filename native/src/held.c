/* The audio thread's side of held voices: starting, letting go, taking one over, frames, and mixing. */
#include "held.h"

float move_at(const Move *move, int64_t time) { return ramp_at(&move->ramp, time, move->length); }

void move_to(Move *move, float value, int64_t time, int64_t length) {
  *move = (Move){{move_at(move, time), value, time}, length > STEP ? length : STEP};
}

double held_hertz(const Held *voice, int64_t time) {
  const double note = (double)move_at(voice->moves + TS_MOVE_NOTE, time) + (double)move_at(voice->moves + TS_MOVE_BEND, time);
  return ts_midi_hertz(note);
}

void glide_at(const Glide *glide, int64_t time, int32_t first, int32_t count, float *out) {
  const float share = move_at(&glide->move, time);
  const float *restrict from = glide->from + first, *restrict to = glide->to + first;
  if (share >= 1.0f)
    for (int32_t i = 0; i < count; i++) out[i] = to[i];
  else
    for (int32_t i = 0; i < count; i++) out[i] = from[i] + share * (to[i] - from[i]);
}

static int64_t samples_of(const ts_player *player, float seconds) {
  return (int64_t)ts_floor((double)seconds * player->rate + 0.5);
}

static void fade(const ts_player *player, Held *voice) {
  if (voice->fade != NEVER) return;
  voice->fade = voice->n;
  if (voice->n + player->fade < voice->end) voice->end = voice->n + player->fade;
}

static void let_go(Held *voice) {
  if (voice->off != NEVER) return;
  voice->off = voice->n;
  if (voice->n + voice->release < voice->end) voice->end = voice->n + voice->release;
}

void held_silence(ts_player *player) {
  for (int32_t i = 0; i < player->held->slots; i++)
    if (player->held->voices[i].sounding) fade(player, player->held->voices + i);
}

void held_release(ts_player *player, int32_t id) {
  for (int32_t i = 0; i < player->held->slots; i++)
    if (player->held->voices[i].sounding && player->held->voices[i].id == id) let_go(player->held->voices + i);
}

int32_t held_sounding(const ts_player *player) {
  int32_t count = 0;
  for (int32_t i = 0; i < player->held->slots; i++) count += player->held->voices[i].sounding;
  return count;
}

/* Whether `a` is taken over rather than `b`: one that was let go, the earlier the better, else the older one. */
static int before(const Held *a, const Held *b) {
  if ((a->off != NEVER) != (b->off != NEVER)) return a->off != NEVER;
  if (a->off != NEVER && a->n - a->off != b->n - b->off) return a->n - a->off > b->n - b->off;
  return a->order < b->order;
}

/* A place for one more: a free one; where too many sound, one of them fades; at worst the one that has faded longest ends. */
static Held *free_held(const ts_player *player, HeldVoices *held) {
  Held *found = NULL, *chosen = NULL, *faded = NULL;
  int32_t sounding = 0;
  for (int32_t i = 0; i < held->slots; i++) {
    Held *voice = held->voices + i;
    if (!voice->sounding) {
      found = found ? found : voice;
    } else if (voice->fade != NEVER) {
      if (!faded || voice->n - voice->fade > faded->n - faded->fade) faded = voice;
    } else {
      sounding++;
      if (!chosen || before(voice, chosen)) chosen = voice;
    }
  }
  if (sounding >= held->limit) fade(player, chosen);
  return found ? found : faded ? faded : chosen;
}

/* Gains of both channels, with their way to the end of the step: a balance of equal power, 1 in the middle. */
static void turn(const Held *voice, int64_t time, float *sides) {
  const float gain = move_at(voice->moves + TS_MOVE_GAIN, time), pan = move_at(voice->moves + TS_MOVE_PAN, time);
  sides[0] = sides[1] = gain;
  if (pan == 0.0f) return;
  const double turns = ((double)pan + 1.0) / 8.0;
  sides[0] = gain * (float)(1.4142135623730951 * ts_cos_turns(turns)), sides[1] = gain * (float)(1.4142135623730951 * ts_sin_turns(turns));
}

static int banked(const Held *voice) { return voice->kind == TS_BANK || voice->kind == TS_NOISE_BANK; }

static void start(ts_player *player, const Command *command) {
  HeldVoices *held = player->held;
  const ts_held *settings = &command->held.voice;
  Held *voice = free_held(player, held);
  *voice = (Held){.bank = voice->bank, .inverse = voice->inverse, .sounding = 1, .kind = settings->kind, .timbre = settings->timbre,
                  .id = command->held.id, .gone = STEP, .seed = settings->seed, .end = NEVER, .off = NEVER, .fade = NEVER};
  voice->order = ++held->order, voice->gain = player_level(player, command->held.velocity);
  voice->attack = samples_of(player, settings->attack), voice->release = samples_of(player, settings->release);
  if (voice->release < 1) voice->release = 1;
  const float values[TS_MOVES] = {settings->note, 0.0f, settings->gain, settings->pan};
  for (int i = 0; i < TS_MOVES; i++) voice->moves[i] = (Move){{values[i], values[i], player->now}, STEP};
  turn(voice, player->now, voice->to);
  if (banked(voice)) bank_start(player, voice);
  if (voice->kind != TS_BANK) inverse_start(player, voice);
}

static void take_over(ts_player *player, const Command *command) {
  Frame *frame = player->held->frame + command->frame.frame;
  Timbre *timbre = player->held->timbre + command->index;
  const int64_t now = player->now, length = samples_of(player, frame->seconds);
  if (command->frame.kind == TS_BANK) {
    Glide *glide = &timbre->partials;
    glide_at(glide, now, 0, 2 * TS_PARTIALS, glide->from);
    float *from = glide->from, *to = glide->to;
    for (int32_t i = 0; i < frame->count; i++) {
      to[i] = frame->values[i], to[TS_PARTIALS + i] = frame->values[TS_PARTIALS + i];
      if (from[TS_PARTIALS + i] == 0.0f || length == 0) from[i] = to[i]; /* a silent partial begins where it is wanted */
      if (!timbre->filled || length == 0) from[TS_PARTIALS + i] = to[TS_PARTIALS + i];
    }
    timbre->filled = 1;
    for (int32_t i = frame->count; i < TS_PARTIALS; i++) {
      to[i] = from[i], to[TS_PARTIALS + i] = 0.0f;
      if (length == 0) from[TS_PARTIALS + i] = 0.0f;
    }
    glide->move = (Move){{0.0f, 1.0f, now}, length > 0 ? length : 1};
  } else {
    Glide *glide = &timbre->spectrum;
    const int same = length > 0 && timbre->bins == frame->count && timbre->spacing == frame->spectrum.spacing;
    if (same) glide_at(glide, now, 0, frame->count, glide->from);
    for (int32_t i = 0; i < frame->count; i++) {
      glide->to[i] = frame->values[i];
      if (!same) glide->from[i] = frame->values[i];
    }
    timbre->bins = frame->count, timbre->spacing = frame->spectrum.spacing;
    timbre->hertz = frame->spectrum.hertz;
    if (timbre->lobe.bandwidth != frame->spectrum.bandwidth) lobe_of(&timbre->lobe, frame->spectrum.bandwidth);
    glide->move = (Move){{0.0f, 1.0f, now}, length > 0 ? length : 1};
  }
  atomic_store_explicit(&frame->taken, 0, memory_order_release);
}

void held_carry_out(ts_player *player, const Command *command) {
  if (command->kind == PUT_HELD) {
    start(player, command);
  } else if (command->kind == PUT_FRAME) {
    take_over(player, command);
  } else if (command->kind == PUT_MOVE) {
    const int64_t length = samples_of(player, command->move.seconds);
    for (int32_t i = 0; i < player->held->slots; i++) {
      Held *voice = player->held->voices + i;
      if (voice->sounding && voice->id == command->index)
        move_to(voice->moves + command->move.what, command->move.value, player->now, length);
    }
  }
}

static float slope(float x) { return x <= 0.0f ? 0.0f : x >= 1.0f ? 1.0f : x * x * (3.0f - 2.0f * x); }

/* The gate from sample n on: smooth slopes, 3 x^2 - 2 x^3; a fade is straight, as of other voices. */
static void fill_gate(const Held *voice, int64_t length, int32_t count, float *gain) {
  for (int32_t i = 0; i < count; i++) gain[i] = voice->gain;
  if (voice->n < voice->attack)
    for (int32_t i = 0; i < count; i++) gain[i] *= slope((float)(voice->n + i) / (float)voice->attack);
  if (voice->off != NEVER)
    for (int32_t i = 0; i < count; i++) gain[i] *= slope(1.0f - (float)(voice->n + i - voice->off) / (float)voice->release);
  if (voice->fade != NEVER)
    for (int32_t i = 0; i < count; i++) gain[i] *= 1.0f - (float)(voice->n + i - voice->fade) / (float)length;
}

static void next_step(ts_player *player, Held *voice, int64_t time) {
  for (int32_t i = 0; i < STEP; i++) voice->samples[i] = 0.0f;
  if (banked(voice)) bank_step(player, voice, time);
  if (voice->kind != TS_BANK) inverse_step(player, voice, time);
  voice->from[0] = voice->to[0], voice->from[1] = voice->to[1], voice->gone = 0;
  turn(voice, time + STEP, voice->to);
}

static void mix_held(ts_player *player, Held *voice, float *restrict left, float *restrict right, int32_t count) {
  for (int32_t done = 0; done < count && voice->sounding;) {
    if (voice->gone == STEP) next_step(player, voice, player->now + done);
    int32_t part = count - done < STEP - voice->gone ? count - done : STEP - voice->gone;
    if (voice->end - voice->n < part) part = (int32_t)(voice->end - voice->n);
    const float a = voice->from[0], b = voice->from[1], a_step = (voice->to[0] - a) / STEP, b_step = (voice->to[1] - b) / STEP;
    const float *samples = voice->samples + voice->gone, first = (float)voice->gone;
    float gain[STEP];
    fill_gate(voice, player->fade, part, gain);
    for (int32_t i = 0; i < part; i++) {
      const float sample = samples[i] * gain[i];
      left[done + i] += sample * (a + (first + (float)i) * a_step);
      right[done + i] += sample * (b + (first + (float)i) * b_step);
    }
    voice->n += part, voice->gone += part, done += part;
    if (voice->n >= voice->end) voice->sounding = 0;
  }
}

void held_mix(ts_player *player, float *left, float *right, int32_t count) {
  for (int32_t i = 0; i < player->held->slots; i++)
    if (player->held->voices[i].sounding) mix_held(player, player->held->voices + i, left, right, count);
}
