/* Voices: sounds at any speed, with fades, mixed to two channels. */
#include "held.h"
#include "lanes.h"

static const double FULL_VELOCITY = 127.0, SHIFT = 4294967296.0; /* 2^32 */
static const float KNEE = 0.79432823f, MOST = 1e6f;              /* -2 dBFS: above it the limit is soft */

float ramp_at(const Ramp *ramp, int64_t time, int64_t fade) {
  const int64_t gone = time - ramp->start;
  return gone >= fade ? ramp->to : ramp->from + (ramp->to - ramp->from) * ((float)gone / (float)fade);
}

void ramp_to(Ramp *ramp, float value, int64_t time, int64_t fade) {
  if (value != ramp->to) *ramp = (Ramp){ramp_at(ramp, time, fade), value, time};
}

/* The gain of sample n by fades, n + i as float: exact, fades are shorter than 2^24 samples. */
static void fill_gain(const Voice *voice, int64_t fade, int32_t count, float *gain) {
  for (int32_t i = 0; i < count; i++) gain[i] = voice->gain;
  if (voice->n < voice->attack) {
    const float scale = 1.0f / (float)(voice->attack + 1), first = (float)(voice->n + 1);
    const int32_t last = voice->attack - voice->n < count ? (int32_t)(voice->attack - voice->n) : count;
    for (int32_t i = 0; i < last; i++) gain[i] *= (first + (float)i) * scale;
  }
  const int64_t from[3] = {voice->decay > 0 ? voice->attack + voice->hold : NEVER, voice->off, voice->fade};
  const int64_t length[3] = {voice->decay, voice->release, fade};
  for (int k = 0; k < 3; k++) {
    if (from[k] == NEVER || from[k] >= voice->n + count) continue;
    const int32_t first = from[k] > voice->n ? (int32_t)(from[k] - voice->n) : 0;
    const float scale = 1.0f / (float)length[k], gone = (float)(voice->n + first - from[k]);
    for (int32_t i = first; i < count; i++) {
      float left = 1.0f - (gone + (float)(i - first)) * scale;
      left = left > 0.0f ? left : 0.0f;
      gain[i] *= k == 2 ? left : left * left;
    }
  }
}

void voice_fade(ts_player *player, Voice *voice) {
  if (voice->fade != NEVER) return;
  voice->fade = voice->n;
  if (voice->n + player->fade < voice->end) voice->end = voice->n + player->fade;
}

void voice_let_go(Voice *voice) {
  if (!voice->held || voice->off <= voice->n) return;
  voice->off = voice->n;
  if (voice->n + voice->release < voice->end) voice->end = voice->n + voice->release;
}

/* Numbers a fade ends at, if it comes before the end of the sound. */
static void end_by_fades(const ts_player *player, Voice *voice) {
  if (voice->decay > 0 && voice->attack + voice->hold + voice->decay < voice->end) voice->end = voice->attack + voice->hold + voice->decay;
  if (voice->off != NEVER && voice->off + voice->release < voice->end) voice->end = voice->off + voice->release;
  if (voice->fade != NEVER && voice->fade + player->fade < voice->end) voice->end = voice->fade + player->fade;
}

static void set_speed(Voice *voice, double ratio, int reverse) {
  const int64_t step = (int64_t)ts_floor(ratio * SHIFT + 0.5);
  voice->kernel = ratio <= 1.0 ? 0 : ratio <= 1.5 ? 1 : ratio <= 2.0 ? 2 : ratio <= 3.0 ? 3 : 4;
  voice->step = reverse ? -step : step;
}

/* The position of number n: place + n * step, where both may be past the ends of int64_t. */
static int64_t position(const Voice *voice) { return (int64_t)((uint64_t)voice->place + (uint64_t)voice->n * (uint64_t)voice->step); }

void voice_bend(const ts_player *player, Voice *voice, float semitones) {
  const int64_t at = position(voice), last = voice->length << 32;
  const int reverse = voice->step < 0;
  set_speed(voice, voice->ratio * ts_exp2((double)semitones / 12.0), reverse);
  voice->place = (int64_t)((uint64_t)at - (uint64_t)voice->n * (uint64_t)voice->step);
  const int64_t left = reverse ? at + (INT64_C(1) << 32) : last - at, step = reverse ? -voice->step : voice->step;
  voice->end = voice->n + (left > 0 ? (left + step - 1) / step : 0);
  end_by_fades(player, voice);
}

/* How loud a voice is now: its gain, and the largest of the next samples. */
static float loudness(const ts_player *player, const Voice *voice) {
  const float *samples = atomic_load_explicit(&voice->samples, memory_order_relaxed);
  int64_t at = position(voice) >> 32;
  if (voice->step < 0) at -= CHUNK - 1;
  const int64_t first = at > 0 ? at : 0, last = at + CHUNK < voice->length ? at + CHUNK : voice->length;
  float gain, most = 0.0f;
  fill_gain(voice, player->fade, 1, &gain);
  if (voice->lane >= 0) gain *= ramp_at(&player->lanes[voice->lane].level, player->now, player->fade);
  for (int32_t c = 0; c < voice->channels; c++)
    for (int64_t i = first; i < last; i++) {
      const float x = samples[c * voice->length + i], size = x < 0.0f ? -x : x;
      most = size > most ? size : most;
    }
  return gain * (voice->left > voice->right ? voice->left : voice->right) * most;
}

/* A place for one more voice: a free one; where too many sound, the quietest fades; at worst the one that has faded longest ends. */
static Voice *free_voice(ts_player *player) {
  Voice *found = NULL, *quietest = NULL, *faded = NULL;
  int32_t sounding = 0;
  float least = 0.0f;
  for (int32_t i = 0; i < player->voice_slots; i++) {
    Voice *voice = player->voices + i;
    if (!atomic_load_explicit(&voice->samples, memory_order_relaxed)) {
      found = found ? found : voice;
    } else if (voice->fade != NEVER) {
      if (!faded || voice->n - voice->fade > faded->n - faded->fade) faded = voice;
    } else {
      sounding++;
    }
  }
  for (int32_t i = 0; i < player->voice_slots && sounding >= player->voice_limit; i++) {
    Voice *voice = player->voices + i;
    if (!atomic_load_explicit(&voice->samples, memory_order_relaxed) || voice->fade != NEVER) continue;
    const float level = loudness(player, voice);
    if (!quietest || level < least || (level == least && voice->order < quietest->order)) quietest = voice, least = level;
  }
  if (quietest) voice_fade(player, quietest);
  return found ? found : faded ? faded : quietest;
}

float player_level(const ts_player *player, float velocity) {
  return (float)ts_exp((double)player->curve * ts_log((double)velocity / FULL_VELOCITY));
}

static int64_t to_samples(double seconds, double rate) { return (int64_t)ts_floor(seconds * rate + 0.5); }

static void set_gains(const ts_player *player, Voice *voice, float velocity, const ts_voice *settings) {
  voice->gain = settings->gain * player_level(player, velocity);
  if (voice->channels == 2) { /* balance */
    voice->left = settings->pan > 0.0f ? 1.0f - settings->pan : 1.0f;
    voice->right = settings->pan < 0.0f ? 1.0f + settings->pan : 1.0f;
  } else if (settings->pan == 0.0f) {
    voice->left = voice->right = 1.0f;
  } else { /* of equal power, 1 in the middle */
    const double turns = ((double)settings->pan + 1.0) / 8.0;
    voice->left = (float)(1.4142135623730951 * ts_cos_turns(turns)), voice->right = (float)(1.4142135623730951 * ts_sin_turns(turns));
  }
}

void player_voice(ts_player *player, int32_t lane, int32_t id, float velocity, const ts_voice *settings, int64_t off) {
  if (settings->sound < 0) return;
  const Sound *sound = player->sound + settings->sound;
  const float *samples = atomic_load_explicit(&sound->samples, memory_order_relaxed);
  if (settings->choke > 0)
    for (int32_t i = 0; i < player->voice_slots; i++) {
      Voice *other = player->voices + i;
      if (atomic_load_explicit(&other->samples, memory_order_relaxed) && other->choke == settings->choke) voice_fade(player, other);
    }
  const double ratio = (double)sound->rate / player->rate * ts_exp2((double)settings->tune / 12.0);
  const int64_t start = (int64_t)ts_floor((double)settings->start * sound->rate * SHIFT + 0.5), last = sound->length << 32;
  if (!samples || start >= last) return;
  Voice *voice = free_voice(player);
  const double rate = player->rate;
  voice->length = sound->length, voice->channels = sound->channels, voice->slot = settings->sound;
  voice->n = 0, voice->off = voice->fade = NEVER, voice->order = ++player->order;
  voice->ratio = ratio;
  set_speed(voice, ratio, settings->reverse);
  const int64_t step = settings->reverse ? -voice->step : voice->step;
  voice->place = settings->reverse ? last - (INT64_C(1) << 32) - start : start;
  voice->end = (last - start + step - 1) / step;
  voice->attack = to_samples(settings->attack, rate), voice->hold = to_samples(settings->hold, rate);
  voice->decay = to_samples(settings->decay, rate), voice->release = to_samples(settings->release, rate);
  if (settings->decay > 0.0f && voice->decay == 0) voice->decay = 1;
  if (voice->release < 1) voice->release = 1;
  voice->held = settings->held;
  if (settings->held) voice->off = off;
  end_by_fades(player, voice);
  voice->lane = lane, voice->id = id, voice->choke = settings->choke;
  set_gains(player, voice, velocity, settings);
  atomic_store_explicit(&voice->samples, samples, memory_order_release);
}

/* Adds a voice, and frees it at its end. */
static void mix_voice(ts_player *player, Voice *voice, float *restrict left, float *restrict right, int32_t count) {
  float gain[CHUNK], one[CHUNK], two[CHUNK];
  const int32_t inside = voice->end - voice->n < count ? (int32_t)(voice->end - voice->n) : count;
  fill_gain(voice, player->fade, inside, gain);
  if (voice->lane >= 0) {
    const Ramp *level = &player->lanes[voice->lane].level;
    const float steady = level->to;
    if (player->now - level->start < player->fade)
      for (int32_t i = 0; i < inside; i++) gain[i] *= ramp_at(level, player->now + i, player->fade);
    else if (steady != 1.0f)
      for (int32_t i = 0; i < inside; i++) gain[i] *= steady;
  }
  const float *other = voice->channels == 2 ? two : one, to_left = voice->left, to_right = voice->right;
  voice_read(voice, player->kernels, inside, one, two);
  for (int32_t i = 0; i < inside; i++) {
    left[i] += one[i] * gain[i] * to_left;
    right[i] += other[i] * gain[i] * to_right;
  }
  voice->n += inside;
  if (voice->n >= voice->end) atomic_store_explicit(&voice->samples, NULL, memory_order_release);
}

/* Not a number becomes 0; above the knee a curve that stays under 1. Returns the largest size before. */
static float limit(float *x, const float *gain) {
  F8 most = {0};
  for (int32_t i = 0; i < CHUNK; i += LANES) {
    F8 value = load8(x + i) * load8(gain + i);
    value = select8(value == value, value, all8(0.0f));
    const F8 size = min8(abs8(value), all8(MOST)), over = (size - KNEE) / (1.0f - KNEE);
    const F8 soft = min8(KNEE + (1.0f - KNEE) * (over / (1.0f + over)), all8(1.0f)), kept = select8(size > all8(KNEE), soft, size);
    store8(x + i, (F8)((I8)kept | ((I8)value & INT32_MIN)));
    most = max8(most, size);
  }
  float largest = 0.0f;
  for (int i = 0; i < LANES; i++) largest = most[i] > largest ? most[i] : largest;
  return largest;
}

void player_mix(ts_player *player, float *left, float *right, int32_t count) {
  float both[2][CHUNK] = {{0}}, gain[CHUNK] = {0};
  for (int32_t i = 0; i < player->voice_slots; i++) {
    Voice *voice = player->voices + i;
    if (atomic_load_explicit(&voice->samples, memory_order_relaxed)) mix_voice(player, voice, both[0], both[1], count);
  }
  if (player->held) held_mix(player, both[0], both[1], count);
  const int moving = player->now - player->master.start < player->fade;
  for (int32_t i = 0; i < count; i++) gain[i] = moving ? ramp_at(&player->master, player->now + i, player->fade) : player->master.to;
  const float a = limit(both[0], gain), b = limit(both[1], gain);
  player->peak = a > player->peak ? a : player->peak, player->peak = b > player->peak ? b : player->peak;
  for (int32_t i = 0; i < count; i++) left[i] = both[0][i], right[i] = both[1][i];
}
