/* The levels of a sound near a given one: decoded levels, and detail of the given sound that fades with the distance; what is let go of is
   drawn anew (synthesis/detail/features.py, blend.py, timing.py). */
#include "near.h"

static const float ALIKE_DB = 6.0f, UNLIKE_DB = 18.0f, QUIET_DB = -45.0f, LOUD_DB = -35.0f, MARGIN_DB = 6.0f, RISING_DB = 3.0f;
static const float TAPER_SHARE = 0.3f, TAPER_DB = 30.0f, END_SHARE = 0.06f, END_DB = 15.0f, SILENT = 3.0f, PER_DB = 0.23025851f;
enum { SMOOTH = 4, BANDS = 4, FEWEST = 12 };

/* The given sound on the time axis of the result, one part, each [frame][band]. */
typedef struct {
  int frames, bands, attack, held;
  float *levels, *slow, *fast, *tonal;
  float *new_slow, *new_fast, *changed; /* changed [frame] */
  float *spare, *other, *row;           /* scratch: two parts, a frame */
} Aligned;

INLINE float within(float x, float low, float high) { return x > low ? (x < high ? x : high) : low; }

static void read_smooth(const float *restrict x, double at, int frames, size_t n, float *restrict out) {
  at = at > 0.0 ? at : 0.0;
  at = at < frames - 1 ? at : frames - 1;
  size_t first = (size_t)at, next = first + 1 < (size_t)frames ? first + 1 : first;
  float share = (float)(at - (double)first);
  const float *restrict low = x + first * n, *restrict high = x + next * n;
  for (size_t i = 0; i < n; i++) out[i] = low[i] + share * (high[i] - low[i]);
}

/* The frame of the given sound at the same speed, back and forth where its tail is too short. */
static int grain_frame(const Given *given, int t, int attack) {
  int last = given->frames - 1, at = t - attack + given->attack, turn = given->attack + given->held;
  turn = turn < last ? turn : last;
  if (last > turn && at > last) {
    int over = (at - turn) % (2 * (last - turn));
    at = turn + (over < 2 * (last - turn) - over ? over : 2 * (last - turn) - over);
  }
  return at > 0 ? (at < last ? at : last) : 0;
}

static void align(const Given *given, size_t part, Aligned *own) {
  size_t n = (size_t)own->bands, first = part * (size_t)given->frames * n;
  int tail = given->frames - 1 - given->attack, new_tail = own->frames - 1 - own->attack;
  double held = given->held, most = (1.0 / 3.0) * (tail < new_tail ? tail : new_tail);
  held = (double)(int)(held < most ? held : most);
  double speed = (tail - held) / (new_tail - held > 1.0 ? new_tail - held : 1.0);
  for (int t = 0; t < own->frames; t++) {
    double time = t - own->attack, at = given->attack + (time <= held ? time : held + (time - held) * speed);
    size_t to = (size_t)t * n;
    read_smooth(given->levels + first, at, given->frames, n, own->levels + to);
    read_smooth(given->slow + first, at, given->frames, n, own->slow + to);
    read_smooth(given->steady + first, at, given->frames, n, own->spare + to);
    memcpy(own->fast + to, given->fast + first + (size_t)grain_frame(given, t, own->attack) * n, n * sizeof(float));
  }
  largest_over_bands(own->spare, own->frames, own->bands, BANDS, own->other);
  mean_over_frames(own->other, own->frames, own->bands, SMOOTH, own->tonal, own->row);
}

/* Drawn detail in place of what is let go of; it fluctuates at most as strongly as the sound. */
static void draw_new(Aligned *own, const float *drawn, const float *base) {
  size_t cells = (size_t)own->frames * (size_t)own->bands;
  float *detail = own->new_fast, *share = own->other;
  for (size_t i = 0; i < cells; i++) detail[i] = drawn[i] - base[i];
  fluctuation(detail, own->frames, own->bands, own->other, own->spare, own->row);
  fluctuation(own->levels, own->frames, own->bands, own->new_slow, own->spare, own->row);
  for (size_t i = 0; i < cells; i++) {
    float most = own->new_slow[i] / (own->other[i] > 1e-3f ? own->other[i] : 1e-3f);
    share[i] = most < 1.0f ? most : 1.0f;
  }
  mean_over_frames(detail, own->frames, own->bands, SMOOTH, own->new_slow, own->row);
  for (size_t i = 0; i < cells; i++) detail[i] = (detail[i] - own->new_slow[i]) * share[i];
  for (int t = 0; t < own->frames; t++) own->changed[t] = 1.0f;
}

/* The detail of the same sound from another frame of its tail on, back and forth. */
static void move_elsewhere(Aligned *own, uint64_t seed) {
  int first = own->attack + own->held < own->frames - 1 ? own->attack + own->held : own->frames - 1, tail = own->frames - first;
  size_t n = (size_t)own->bands;
  memset(own->new_slow, 0, (size_t)own->frames * n * sizeof(float));
  memcpy(own->new_fast, own->fast, (size_t)own->frames * n * sizeof(float));
  for (int t = 0; t < own->frames; t++) own->changed[t] = 0.0f;
  if (tail < FEWEST) return;
  Noise noise;
  double drawn;
  noise_open(&noise, seed, NOISE_DETAIL, 0, 0, 0);
  noise_uniform(&noise, &drawn, 1);
  int start = (int)((0.2 + 0.6 * drawn) * tail);
  for (int t = 0; t < tail; t++) {
    int over = (t + start) % (2 * (tail - 1)), at = first + (over < 2 * (tail - 1) - over ? over : 2 * (tail - 1) - over);
    memcpy(own->new_fast + (size_t)(first + t) * n, own->fast + (size_t)at * n, n * sizeof(float));
    own->changed[first + t] = t < FEWEST ? (float)t / (float)FEWEST : 1.0f;
  }
}

/* Two slow parts: in dB where they are alike and under the decoded level, in power where only one has a partial. share: of the second. */
static void blend(const float *a, const float *b, float share, size_t cells, float *out) {
  float log_one = share < 1.0f ? ts_logf(1.0f - share) : 0.0f, log_two = share > 0.0f ? ts_logf(share) : 0.0f;
  F8 none = all8(0.0f), one = all8(log_one), two = all8(log_two);
  int between = share > 0.0f && share < 1.0f;
  for (size_t i = 0; i < cells; i += 8) {
    F8 x = load8(a + i), y = load8(b + i), low = min8(x, none), up = max8(x, none), down = max8(y, none);
    low += (min8(y, none) - low) * share;
    F8 even = up + (down - up) * share;
    if (between) {
      F8 first = up * PER_DB + one, second = down * PER_DB + two;
      F8 power = (max8(first, second) + log8(1.0f + exp8(-abs8(first - second)))) * (1.0f / PER_DB);
      F8 unlike = min8(max8((abs8(up - down) - ALIKE_DB) * (1.0f / (UNLIKE_DB - ALIKE_DB)), none), all8(1.0f));
      even += (power - even) * unlike;
    }
    store8(out + i, low + even);
  }
}

/* What the detail adds to the levels of one frame. wide: the slow part without partials. */
static void add_detail(const Aligned *own, const Change *change, int t, const float *blended, const float *wide, float *db) {
  size_t n = (size_t)own->bands, first = (size_t)t * n;
  double kept = (double)change->kept;
  float lines = kept > 0.0 ? (float)(ts_exp(ts_log(kept) / 3.0) - kept) : 0.0f, rest = (float)ts_sqrt(1.0 - kept * kept);
  float share = own->changed[t], keep = change->kept;
  const float *slow = own->slow + first, *fast = own->fast + first, *other = own->new_fast + first, *tonal = own->tonal + first;
  for (size_t i = 0; i < n; i++) {
    float both = keep * fast[i] + rest * other[i];
    db[i] += blended[first + i] + tonal[i] * (slow[i] - wide[first + i]) * lines + (fast[i] + share * (both - fast[i]));
  }
}

/* Quiet cells are at most as loud as in the given sound and a margin, and fall off towards the end. Returns the loudest. */
static float quieten(const Aligned *own, const Change *change, int t, float *db) {
  size_t n = (size_t)own->bands;
  const float *most = own->levels + (size_t)t * n, floor = -change->floor, share = 1.0f - change->kept;
  float place = own->frames > 1 ? (float)t / (float)(own->frames - 1) : 0.0f, loudest = -3e38f;
  float slow = (place > 1.0f - TAPER_SHARE ? place - (1.0f - TAPER_SHARE) : 0.0f) / TAPER_SHARE;
  float fast = (place > 1.0f - END_SHARE ? place - (1.0f - END_SHARE) : 0.0f) / END_SHARE;
  slow = share * TAPER_DB * slow * slow, fast = share * END_DB * fast * fast;
  for (size_t i = 0; i < n; i++) {
    float margin = MARGIN_DB * within((most[i] - floor) / RISING_DB - 1.0f, 0.0f, 1.0f), limit = most[i] + margin;
    float limited = db[i] < limit ? db[i] : limit;
    float level = limited + (db[i] - limited) * within((db[i] - QUIET_DB) / (LOUD_DB - QUIET_DB), 0.0f, 1.0f);
    db[i] = level - (slow * within((LOUD_DB - level) / (LOUD_DB - QUIET_DB), 0.0f, 1.0f) + fast);
  }
  for (size_t i = 0; i < n; i++) loudest = db[i] > loudest ? db[i] : loudest;
  return loudest;
}

size_t near_levels_size(int parts, int frames, int bands) {
  (void)parts; /* one after the other */
  return (size_t)10 * ((size_t)frames * (size_t)bands + 64) * sizeof(float) + ((size_t)frames + (size_t)bands) * sizeof(float) + 4096;
}

static Status open_part(Aligned *own, Arena *work) {
  size_t cells = (size_t)own->frames * (size_t)own->bands + 8; /* filled up to whole vectors */
  float **const arrays[] = {&own->levels, &own->slow, &own->fast, &own->tonal, &own->new_slow, &own->new_fast, &own->spare, &own->other};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
    *arrays[i] = TAKE(work, float, cells);
    if (*arrays[i] == NULL) return TS_MEMORY;
    for (size_t k = cells - 8; k < cells; k++) (*arrays[i])[k] = 0.0f;
  }
  own->changed = TAKE(work, float, own->frames), own->row = TAKE(work, float, own->bands);
  return own->changed == NULL || own->row == NULL ? TS_MEMORY : TS_OK;
}

Status near_levels(const Given *given, const Change *change, Levels *levels, int *attack, Arena *work) {
  size_t used = work->used, cells = (size_t)levels->frames * (size_t)levels->bands;
  Aligned own = {.frames = levels->frames, .bands = levels->bands, .held = given->held};
  own.attack = given->attack < own.frames - 1 ? given->attack : own.frames - 1;
  Status status = open_part(&own, work);
  float loudest = -3e38f, silent = SILENT - change->floor;
  for (int part = 0; part < levels->parts && status == TS_OK; part++) {
    float *db = levels->db + (size_t)part * cells;
    align(given, (size_t)part, &own);
    if (change->kept >= 1.0f) memset(own.changed, 0, (size_t)own.frames * sizeof(float)), memcpy(own.new_slow, own.slow, cells * sizeof(float)), memcpy(own.new_fast, own.fast, cells * sizeof(float));
    else if (change->drawn != NULL) draw_new(&own, change->drawn + (size_t)part * cells, db);
    else move_elsewhere(&own, change->seed);
    mean_over_bands(own.slow, own.frames, own.bands, BANDS, own.other);
    blend(own.slow, own.new_slow, 1.0f - change->kept, cells, own.spare);
    for (int t = 0; t < own.frames; t++) {
      float *row = db + (size_t)t * (size_t)own.bands;
      add_detail(&own, change, t, own.spare, own.other, row);
      float most = quieten(&own, change, t, row);
      loudest = most > loudest ? most : loudest;
    }
  }
  for (size_t i = 0; i < cells * (size_t)levels->parts && status == TS_OK; i++) { /* silence is not lifted with the loudest cell */
    float level = levels->db[i] > silent ? levels->db[i] - loudest : -change->floor;
    levels->db[i] = level > -change->floor ? level : -change->floor;
  }
  *attack = own.attack;
  work->used = used;
  return status;
}
