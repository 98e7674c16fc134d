/* A bank of oscillators. A step is 64 samples from the voice's start on, whatever the blocks are; within it frequencies and amplitudes go in
   straight lines. Phases are whole numbers, turns / 2^32, so that they go on exactly. */
#include "held.h"
#include "simd.h"

static const double TURN = 4294967296.0; /* 2^32 */

/* sin(2 pi phase / 2^32), as a cosine a quarter later: errors under 3e-7. */
INLINE F8 sine8(U8 phase) {
  const F8 turns = __builtin_convertvector((I8)(phase - 0x40000000u), F8) * 0x1p-32f, y = 0.25f - abs8(turns), z = y * y;
  F8 p = -0x1.3232fap+6f + z * 0x1.3c4b2cp+5f;
  p = 0x1.46676ep+6f + z * p;
  p = -0x1.4abbb6p+5f + z * p;
  return y * (0x1.921fb4p+2f + z * p);
}

/* Steps of phase and amplitudes of the timbre's partials at a time. */
static void targets(const ts_player *player, const Held *voice, int64_t time, uint32_t *step, float *amplitude) {
  float ratio[TS_PARTIALS];
  const Glide *partials = &player->held->timbre[voice->timbre].partials;
  const double note = held_hertz(voice, time) / player->rate;
  glide_at(partials, time, 0, TS_PARTIALS, ratio);
  glide_at(partials, time, TS_PARTIALS, TS_PARTIALS, amplitude);
  for (int32_t i = 0; i < TS_PARTIALS; i++) {
    const double cycles = (double)ratio[i] * note;
    amplitude[i] *= below_nyquist((float)cycles);
    step[i] = (uint32_t)(int32_t)((cycles < 0.49 ? cycles : 0.49) * TURN + 0.5);
  }
}

void bank_start(const ts_player *player, Held *voice) {
  Bank *bank = voice->bank;
  for (uint32_t i = 0; i < TS_PARTIALS; i++) bank->phase[i] = voice->seed ? scattered(voice->seed, i) : 0;
  targets(player, voice, player->now, bank->step, bank->amplitude);
}

void bank_step(const ts_player *player, Held *voice, int64_t time) {
  Bank *bank = voice->bank;
  uint32_t step[TS_PARTIALS];
  float amplitude[TS_PARTIALS];
  F8 sum[STEP] = {{0}};
  targets(player, voice, time + STEP, step, amplitude);
  for (int32_t g = 0; g < TS_PARTIALS; g += 8) {
    U8 phase, turn, end;
    memcpy(&phase, bank->phase + g, sizeof phase), memcpy(&turn, bank->step + g, sizeof turn), memcpy(&end, step + g, sizeof end);
    const U8 bend = (U8)((I8)(end - turn) / STEP);
    const F8 from = load8(bank->amplitude + g), to = load8(amplitude + g), grow = (to - from) * (1.0f / STEP);
    if (sum8(abs8(from)) + sum8(abs8(to)) == 0.0f) { /* silent: the phase goes on */
      phase += turn * STEP + bend * (STEP * (STEP - 1) / 2);
    } else {
      F8 level = from;
      for (int32_t i = 0; i < STEP; i++) {
        sum[i] += sine8(phase) * level;
        phase += turn, turn += bend, level += grow;
      }
    }
    memcpy(bank->phase + g, &phase, sizeof phase), memcpy(bank->step + g, &end, sizeof end), store8(bank->amplitude + g, to);
  }
  for (int32_t i = 0; i < STEP; i++) voice->samples[i] += sum8(sum[i]);
}
