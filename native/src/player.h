/* A player: voices, patterns, and the queue between its two threads. */
#ifndef TS_PLAYER_H
#define TS_PLAYER_H

#include <stdatomic.h>

#include "base.h"
#include "timbrespace.h"

enum { CHUNK = 64, KERNELS = 5, PHASES = 256, MOST_TAPS = 64, ALL_TAPS = 16 + 24 + 32 + 48 + 64 };
#define NEVER INT64_MAX

/* Goes from one value to another in a straight line, `fade` samples from `start`. */
typedef struct {
  float from, to;
  int64_t start;
} Ramp;

typedef struct {
  _Atomic(const float *) samples; /* NULL: none */
  int64_t length;
  int32_t channels, rate;
} Sound;

/* Every sample of a voice depends on nothing but its number n: blocks may have any length. */
typedef struct {
  _Atomic(const float *) samples; /* NULL: free */
  int64_t length, n, end;         /* of the sound; samples played; at which it ends */
  int64_t place, step;            /* position at n = 0, a sample's step, in samples / 2^32; a bend changes both */
  double ratio;                   /* of its speed without a bend */
  int64_t attack, hold, decay, release, off, fade; /* off, fade: n at which it is let go, and fades out */
  uint64_t order;
  float gain, left, right;
  int32_t channels, slot, lane, choke, id, held, kernel;
} Voice;

/* Weights of PHASES + 1 places between two samples, [phase][taps]; they pass what is under half the rate divided by the step. */
typedef struct {
  int32_t taps;
  const float *weights;
} Kernel;

typedef struct {
  ts_lane lane;
  ts_step steps[TS_STEPS];
  ts_hit hit;
  Ramp level;
  int64_t number, due, done; /* the next step, when (samples), tick of the last one */
  int32_t ratchet;           /* the next one of the step, 0: the step has not begun */
} Lane;

enum { PUT_SOUND, PUT_PLAY, PUT_RELEASE, PUT_BEND, PUT_SILENCE, PUT_MASTER, PUT_LANE, PUT_STEPS, PUT_SEED, PUT_TEMPO, PUT_START, PUT_STOP, PUT_HELD, PUT_MOVE,
       PUT_FRAME };
typedef struct {
  int32_t kind, index; /* what, and of which slot, lane or id */
  int64_t time;
  union {
    struct {
      const float *samples;
      int64_t length;
      int32_t channels, rate;
    } sound;
    struct {
      ts_voice voice;
      int32_t id;
      float velocity;
    } play;
    struct {
      int32_t first, count;
      ts_step steps[5];
    } steps;
    struct {
      ts_held voice;
      int32_t id;
      float velocity;
    } held;
    struct {
      int32_t what;
      float value, seconds;
    } move;
    struct {
      int32_t kind, frame; /* of the timbre `index`, and the number of the frame */
    } frame;
    ts_lane lane;
    float gain;
    uint64_t seed;
    int64_t tick, tempo;
  };
} Command;

typedef struct {
  int64_t time;
  uint32_t number, slot;
} Waiting;

/* One thread puts in, the other takes out; then commands wait for their time in a heap. */
typedef struct {
  Command *ring, *slots;
  Waiting *heap;
  uint32_t *spare; /* free slots */
  uint32_t size, waiting, taken;
  _Atomic uint32_t head, tail;
} Queue;

/* Musical time: a tick is rate * 125 / (tempo * 84) samples, tempo in thousandths; the place of `tick` is whole + part / 2^32. */
typedef struct {
  int64_t tick, whole;
  uint32_t part;
  int64_t over, under; /* samples a tick, as a fraction */
} Clock;

typedef struct HeldVoices HeldVoices;

struct ts_player {
  int32_t rate, voice_slots, voice_limit, sounds;
  float curve;
  int64_t now, fade;
  Voice *voices;
  Sound *sound;
  Kernel kernels[KERNELS];
  Lane lanes[TS_LANES];
  Ramp master;
  Clock clock;
  int32_t playing, tempo, next_tempo; /* next_tempo: from `border`; 0: none */
  int64_t border, border_due, stopped;
  uint64_t seed, order;
  float peak;
  HeldVoices *held; /* NULL: none */
  Queue queue;
  uint32_t sounds_sent; /* of the other thread */
  _Atomic uint32_t sounds_done;
  _Atomic int64_t seen_time, seen_tick;
  _Atomic int32_t seen_playing, seen_voices, seen_waiting, seen_tempo;
  _Atomic uint32_t seen_peak;
};

float ramp_at(const Ramp *ramp, int64_t time, int64_t fade);
void ramp_to(Ramp *ramp, float value, int64_t time, int64_t fade);

Status kernels_open(Kernel *kernels, Arena *arena);
/* Samples of a voice from number n on, not yet faded. other: of the second channel. */
void voice_read(const Voice *voice, const Kernel *kernels, int32_t count, float *out, float *other);
void voice_fade(ts_player *player, Voice *voice);
void voice_let_go(Voice *voice);
void voice_bend(const ts_player *player, Voice *voice, float semitones);
/* off: samples from now at which it is let go, NEVER: by hand. */
void player_voice(ts_player *player, int32_t lane, int32_t id, float velocity, const ts_voice *settings, int64_t off);
float player_level(const ts_player *player, float velocity); /* amplitude by velocity */
void player_mix(ts_player *player, float *left, float *right, int32_t count);

void clock_tempo(Clock *clock, int32_t rate, int64_t tempo);
int64_t clock_sample(const Clock *clock, int64_t tick);
void clock_move(Clock *clock, int64_t tick); /* the anchor, exact to 2^-32 samples */
int64_t clock_tick(const Clock *clock, int64_t sample); /* the first tick at or after it */

void player_start(ts_player *player, int64_t tick);
void player_stop(ts_player *player);
void player_tempo(ts_player *player, int64_t tempo);
void player_lane(ts_player *player, int32_t index, const ts_lane *lane);
void player_levels(ts_player *player);
int64_t player_next(const ts_player *player); /* when the next step or change of tempo is due */
void player_steps_due(ts_player *player);

Status queue_open(Queue *queue, int32_t size, Arena *arena);
Status queue_put(Queue *queue, const Command *commands, uint32_t count);
void queue_take(Queue *queue, int64_t now);
int64_t queue_next(const Queue *queue);
const Command *queue_pop(Queue *queue); /* stays until the next call of queue_take */
Status player_put(ts_player *player, Command command);
int voice_fits(const ts_voice *voice, int32_t sounds);
int lane_fits(const ts_lane *lane, int32_t sounds);
int step_fits(const ts_step *step);
#endif
