/* Held voices of a player: oscillators and inverse transforms whose frames change while they sound. */
#ifndef TS_HELD_H
#define TS_HELD_H

#include "player.h"

_Static_assert(TS_PARTIALS <= 256, "an inverse transform has room for the phases of 256 sines");
enum { STEP = 64, PEAKS = 256, WINDOW = 1024, HOP = 256, LOBE = 4, FINE = 256, OFFSETS = 17 }; /* LOBE: bins of half a main lobe, FINE: places in one */
#define ROUND_BINS(n) (((size_t)(n) + 7) / 8 * 8)

/* A value on its way to another in a straight line. */
typedef struct {
  Ramp ramp;
  int64_t length; /* samples */
} Move;

/* What was handed over and waits for its time: `values` are ratios and amplitudes, or magnitudes. */
typedef struct {
  _Atomic uint32_t taken; /* by the commanding thread; the audio thread gives it back */
  int32_t count;
  ts_spectrum spectrum;
  float seconds, *values;
} Frame;

/* What a timbre sounds like: on the way from the first frame to the second. */
typedef struct {
  float *from, *to; /* ratios [TS_PARTIALS], amplitudes [TS_PARTIALS], or magnitudes [bins] */
  Move move;        /* from 0 to 1 */
} Glide;
/* The main lobe of the analysis window at OFFSETS places of a sine from 0 to half a bin beside a bin: where a parabola through the
   logarithms of three bins has its top, and the magnitude of the bin. */
typedef struct {
  float bandwidth, top[OFFSETS], level[OFFSETS];
} Lobe;
typedef struct {
  Glide partials, spectrum;
  Lobe lobe;
  int32_t filled, bins; /* filled: there were partials; bins: of the spectrum, 0: none yet */
  float spacing, hertz;
} Timbre;

/* A bank's partials at the start of the next step: phases and steps of them in turns / 2^32. */
typedef struct {
  uint32_t phase[TS_PARTIALS], step[TS_PARTIALS];
  float amplitude[TS_PARTIALS];
} Bank;

/* An inverse transform: the sines of the last frame, and what is not yet complete of the output. */
typedef struct {
  int32_t peaks, gone;              /* gone: samples of the hop that were used */
  uint32_t frame;                   /* number of the next one */
  float place[PEAKS], cycles[PEAKS]; /* in bins of the spectrum; a sample, as played */
  double phase[PEAKS];              /* turns, at the middle of the frame */
  float sum[WINDOW];
} Inverse;

typedef struct {
  int32_t sounding, kind, timbre, id, gone; /* gone: samples used of the step that was made last */
  uint32_t seed;
  int64_t n, end, attack, release, off, fade; /* as of Voice */
  uint64_t order;
  float gain, from[2], to[2], samples[STEP]; /* from, to: left and right, over the step */
  Move moves[TS_MOVES];
  Bank *bank;
  Inverse *inverse;
} Held;

struct HeldVoices {
  int32_t limit, slots, timbres, frames, bins, next_frame;
  uint64_t order;
  Held *voices;
  Timbre *timbre;
  Frame *frame;
  Fft *fft;
  float *magnitudes, *levels; /* levels: of the noise */
  float *spectrum;            /* of one frame, (real, imaginary) */
  float *lobe;                /* of the window's transform, from its middle on */
  Arena work;                 /* of one transform */
};

float move_at(const Move *move, int64_t time);
void move_to(Move *move, float value, int64_t time, int64_t length);
double held_hertz(const Held *voice, int64_t time);

/* The timbre at a time. */
void glide_at(const Glide *glide, int64_t time, int32_t first, int32_t count, float *out);

/* What is left of a partial near half the sample rate. */
static inline float below_nyquist(float cycles) {
  const float kept = (0.49f - cycles) * (1.0f / (0.49f - 0.45f));
  return kept < 0.0f ? 0.0f : kept > 1.0f ? 1.0f : kept;
}

/* 32 bits for each number of a seed, spread evenly. */
static inline uint32_t scattered(uint32_t seed, uint32_t i) {
  uint32_t x = seed * 0x9E3779B9u + i * 0x85EBCA6Bu;
  x = (x ^ x >> 16) * 0x7FEB352Du, x = (x ^ x >> 15) * 0x846CA68Bu;
  return x ^ x >> 16;
}

void bank_start(const ts_player *player, Held *voice);
void bank_step(const ts_player *player, Held *voice, int64_t time);   /* samples of the next step, from `time` on */
void inverse_start(ts_player *player, Held *voice);
void inverse_step(ts_player *player, Held *voice, int64_t time);

void inverse_open(HeldVoices *held);

/* Tonal peaks of magnitudes [bins], at most PEAKS, rising: places in bins, amplitudes. levels [bins]: what is left over as noise.
   pitch: of the spectrum, in bins. */
void lobe_of(Lobe *lobe, float bandwidth);
int32_t find_peaks(const float *magnitudes, int32_t bins, float pitch, const Lobe *lobe, float *places, float *amplitudes, float *levels);

void held_carry_out(ts_player *player, const Command *command);
void held_silence(ts_player *player);
void held_release(ts_player *player, int32_t id);
int32_t held_sounding(const ts_player *player);
void held_mix(ts_player *player, float *left, float *right, int32_t count);
#endif
