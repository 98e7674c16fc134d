/* Draws the detail of a new sound: decoded levels become levels as real sounds have them (detail_model/draw.py). */
#include "detail.h"
#include "fields.h"

static const float LOUD_DB = -20.0f, TOP_DB = 10.0f, MOST_TOP_DB = 6.0f, NEARER = 0.5f, VARIETY = 0.7f;
static const float QUIET_LOW = 0.15f, QUIET_HIGH = 0.3f; /* of the range over the floor */
static const int FADE_FRAMES = 4;

/* What one part of the detail is made from, at knots of frames: [FRAME_KNOTS][band]; and by band. */
typedef struct {
  float *fast, *slow, *lasting, *wide;                   /* logs of deviations, shares of the slow variance */
  float *ripple, *drifting, *broad;                      /* noise; the last two [column][band] */
  float *skew, *skew_top, *skew_scale, *kernel, *weight; /* [band], kernel [3][band] */
  Octaves drift_octaves, broad_octaves;
  Grain grain;
  float whole; /* one number for the background of the whole sound */
} Part;

/* Values at knots of bands to values of bands. `down`, `along`: steps between knots and between the `columns`. */
static void over_bands(const float *values, size_t down, size_t along, int columns, int bands, float *out) {
  for (int i = 0; i < bands; i++) {
    float share;
    int upper = knot_of((float)i / (float)(bands > 1 ? bands - 1 : 1), BAND_KNOT, BAND_KNOTS, &share);
    const float *low = values + (size_t)(upper - 1) * down, *high = low + down;
    for (int k = 0; k < columns; k++)
      out[(size_t)k * (size_t)bands + (size_t)i] = (1.0f - share) * low[(size_t)k * along] + share * high[(size_t)k * along];
  }
}

/* Logs of deviations at the knots, linear in the latent and drawn. */
static void deviations(const float *coefficients, const float *range, const float *rest, const float *standard, int dims, float variety,
                       Noise *noise, float *out) {
  float knots[BAND_KNOTS];
  fields_knot_values(noise, knots);
  for (int i = 0; i < TABLE; i++) {
    double value = coefficients[i];
    for (int k = 0; k < dims; k++) value += (double)standard[k] * coefficients[(size_t)(1 + k) * TABLE + (size_t)i];
    value = value > range[i] ? value : range[i];
    value = value < range[TABLE + i] ? value : range[TABLE + i];
    out[i] = (float)value + variety * knots[i / FRAME_KNOTS] * rest[i];
  }
}

static Status part_open(const Detail *detail, const float *standard, int bands, int frames, Noise *noise, Part *part, Arena *work) {
  const size_t n = (size_t)bands, table = FRAME_KNOTS * n;
  float *rows = TAKE(work, float, 4 * table + 8 * n), fast[TABLE], slow[TABLE], *at = rows;
  if (rows == NULL) return TS_MEMORY;
  part->fast = at, part->slow = at += table, part->lasting = at += table, part->wide = at += table;
  part->kernel = at += table, part->weight = at += 3 * n, part->ripple = at += n;
  part->skew = at += n, part->skew_top = at += n, part->skew_scale = at += n;
  deviations(detail->fast, detail->fast_range, detail->fast_rest, standard, detail->dims, VARIETY * VARIETY, noise, fast);
  deviations(detail->slow, detail->slow_range, detail->slow_rest, standard, detail->dims, VARIETY, noise, slow);
  over_bands(fast, FRAME_KNOTS, 1, FRAME_KNOTS, bands, part->fast);
  over_bands(slow, FRAME_KNOTS, 1, FRAME_KNOTS, bands, part->slow);
  over_bands(detail->shares, FRAME_KNOTS, 1, FRAME_KNOTS, bands, part->lasting);
  over_bands(detail->shares + TABLE, FRAME_KNOTS, 1, FRAME_KNOTS, bands, part->wide);
  over_bands(detail->kernel, 1, BAND_KNOTS, 3, bands, part->kernel);
  over_bands(detail->neighbours, 1, 0, 1, bands, part->weight);
  over_bands(detail->skew, 1, 0, 1, bands, part->skew);
  for (size_t i = 0; i < n; i++) {
    float square = ts_expf(part->skew[i] * part->skew[i]);
    part->skew_top[i] = ts_sqrtf(square);
    part->skew_scale[i] = 1.0f / ts_sqrtf(square * (square - 1.0f));
  }
  Status status = fields_ripple(noise, part->weight, bands, part->ripple, work);
  if (status == TS_OK) status = fields_octaves(noise, frames, &part->drift_octaves, work);
  if (status != TS_OK) return status;
  part->drifting = TAKE(work, float, n * (size_t)part->drift_octaves.columns);
  if (part->drifting == NULL) return TS_MEMORY;
  status = fields_drifting(noise, part->weight, bands, part->drift_octaves.columns, part->drifting, work);
  if (status == TS_OK) status = fields_octaves(noise, frames, &part->broad_octaves, work);
  if (status != TS_OK) return status;
  part->broad = TAKE(work, float, n * (size_t)part->broad_octaves.columns);
  if (part->broad == NULL) return TS_MEMORY;
  status = fields_broad(noise, bands, part->broad_octaves.columns, part->broad, work);
  if (status != TS_OK) return status;
  noise_normalf(noise, &part->whole, 1);
  return fields_grain(noise, part->kernel, bands, frames, &part->grain, work);
}

/* The slow part of one frame, deviation 1. */
static void slow_row(const Part *part, const float *restrict level, int frame, int upper, float share, float floor, size_t n,
                     float *restrict out) {
  const float *lasting = part->lasting + (size_t)(upper - 1) * n, *wide = part->wide + (size_t)(upper - 1) * n;
  const float *drift = part->drifting + (size_t)part->drift_octaves.first[frame] * n;
  const float *broad = part->broad + (size_t)part->broad_octaves.first[frame] * n, *ripple = part->ripple;
  const float a = part->drift_octaves.a[frame], b = part->drift_octaves.b[frame], other = 1.0f - share;
  const float c = part->broad_octaves.a[frame], d = part->broad_octaves.b[frame], whole = part->whole;
  const float high = QUIET_HIGH * floor - floor, per_db = 1.0f / (high - (QUIET_LOW * floor - floor));
  for (size_t i = 0; i < n; i++) {
    float long_share = other * lasting[i] + share * lasting[i + n], wide_share = other * wide[i] + share * wide[i + n];
    float rest = 1.0f - long_share - wide_share, quiet = (high - level[i]) * per_db;
    rest = rest > 0.0f ? rest : 0.0f;
    quiet = quiet > 0.0f ? (quiet < 1.0f ? quiet : 1.0f) : 0.0f;
    float value = ripple[i] * __builtin_sqrtf(long_share) + (drift[i] * a + drift[i + n] * b) * __builtin_sqrtf(rest) +
                  (broad[i] * c + broad[i + n] * d) * __builtin_sqrtf(wide_share);
    out[i] = value * __builtin_sqrtf(1.0f - quiet) + whole * __builtin_sqrtf(quiet);
  }
}

/* Work rows of one frame. */
typedef struct {
  float *exponents;             /* 4 of n: fast, slow, skewed grain, power of the level */
  float *padded;                /* n + 2 * NOISY_REACH */
  float *slow, *bias, *scale, *share, *noisy; /* n each */
  int *lower;
} Rows;

/* A level, its slow part times `scale`, and its grain; what is near the floor without grain is silent. */
static void mix_row(const float *restrict level, const float *restrict bias, const float *restrict scaled, const float *restrict slow,
                    const float *restrict fast, const float *restrict grain, size_t n, float floor, float *restrict out) {
  for (size_t i = 0; i < n; i++) {
    float steady = level[i] + bias[i] + scaled[i] * slow[i];
    out[i] = steady > SILENT_DB - floor ? steady + fast[i] * grain[i] : -floor;
  }
}

/* Deviations to those of cells: times the factor of the level, and less for the grain of partials; the grain from its exponential. */
static void scale_row(const Part *part, const float *restrict scale, const float *restrict noisy, float tonal, size_t n, float *restrict slow,
                      float *restrict fast, float *restrict grain) {
  const float *restrict top = part->skew_top, *restrict norm = part->skew_scale;
  for (size_t i = 0; i < n; i++) {
    slow[i] *= scale[i];
    fast[i] *= scale[i] * (tonal + noisy[i] * (1.0f - tonal));
    grain[i] = (top[i] - grain[i]) * norm[i];
  }
}

/* One frame `(bands)` of a part with detail to `out`. Returns the power of its level. */
static float frame_of(const Detail *detail, const Part *part, const float *level, int frame, size_t n, const Rows *rows, float *restrict out) {
  float share, *restrict fast = rows->exponents, *restrict slow = fast + n, *restrict grain = fast + 2 * n, *restrict power = fast + 3 * n;
  const int upper = knot_of((float)frame, FRAME_KNOT, FRAME_KNOTS, &share);
  const float *log_fast = part->fast + (size_t)(upper - 1) * n, *log_slow = part->slow + (size_t)(upper - 1) * n, floor = detail->floor;
  const float other = 1.0f - share, *restrict skew = part->skew;
  float *restrict bias = rows->bias, *restrict scale = rows->scale, *restrict noisy = rows->noisy;
  fields_grain_of(&part->grain, frame, grain);
  for (size_t i = 0; i < n; i++) {
    fast[i] = other * log_fast[i] + share * log_fast[i + n];
    slow[i] = other * log_slow[i] + share * log_slow[i + n];
    grain[i] = -skew[i] * grain[i];
    power[i] = level[i] * 0.23025851f;
  }
  ts_exp_array(fast, fast, 4 * n);
  slow_row(part, level, frame, upper, share, floor, n, rows->slow);
  level_knots(level, n, floor, rows->lower, rows->share);
  for (size_t i = 0; i < n; i++) { /* a look-up a cell: not by vectors */
    const float *at = detail->bias + rows->lower[i], *beside = detail->scale + rows->lower[i], part_of = rows->share[i];
    bias[i] = at[0] + part_of * (at[1] - at[0]);
    scale[i] = beside[0] + part_of * (beside[1] - beside[0]);
  }
  level_noisiness(level, n, rows->padded, noisy);
  scale_row(part, scale, noisy, detail->tonal[0], n, slow, fast, grain);
  mix_row(level, bias, slow, rows->slow, fast, grain, n, floor, out);
  for (size_t i = 0; i < n; i++) power[i] = level[i] > SILENT_DB - floor ? power[i] : 0.0f;
  return row_sum(power, n);
}

/* How much every frame is moved, so that the first have the levels that those of training sounds have, and no later frame comes nearer to
   the loudest than half-way. wanted, found: levels of frames in dB under the loudest, before and with detail. */
static void attack_shifts(const Detail *detail, const float *attack, const float *wanted, float *found, int frames, float *shift) {
  const int count = frames < ATTACK_FRAMES ? frames : ATTACK_FRAMES;
  float above = 0.0f;
  int loud = 0;
  for (int i = 0; i < count; i++)
    if (wanted[i] > LOUD_DB) above += found[i] - wanted[i], loud++;
  above = loud > 0 ? above / (float)loud : 0.0f;
  for (int i = 0; i < frames; i++) {
    shift[i] = 0.0f;
    if (i < count && wanted[i] > ON_FLOOR_DB - detail->floor) {
      float share, fade = (float)(ATTACK_FRAMES - i) / (float)FADE_FRAMES;
      int lower;
      level_knots(wanted + i, 1, detail->floor, &lower, &share);
      const float *row = attack + i * LEVEL_KNOTS + lower;
      float mapped = row[0] + share * (row[1] - row[0]);
      shift[i] = (fade < 1.0f ? fade : 1.0f) * (mapped + above - found[i]);
      found[i] += shift[i];
    }
    float nearer = found[i] - above - NEARER * wanted[i];
    if (i >= count - FADE_FRAMES && nearer > 0.0f) shift[i] -= nearer;
  }
}

/* The loudest cell to 0 dB: only cells next to it are moved, and by `lift` dB more. Silent cells to the floor. */
static void at_zero(const Detail *detail, float *restrict drawn, float *restrict levels, const float *shift, size_t rows, int frames, size_t n) {
  const float floor = detail->floor;
  float top = -3e38f, most = -3e38f;
  for (size_t row = 0; row < rows; row++) {
    float largest = row_largest(drawn + row * n, n) + shift[row % (size_t)frames];
    top = largest > top ? largest : top;
  }
  float change = detail->lift[0] - top;
  change = change > -MOST_TOP_DB ? (change < MOST_TOP_DB ? change : MOST_TOP_DB) : -MOST_TOP_DB;
  for (size_t row = 0; row < rows; row++) {
    float *restrict db = drawn + row * n, *restrict level = levels + row * n, by = shift[row % (size_t)frames];
    for (size_t i = 0; i < n; i++) {
      int silent = (db[i] <= -floor) | (level[i] <= ON_FLOOR_DB - floor);
      float value = db[i] + by, near = (value - top) * (1.0f / TOP_DB) + 1.0f;
      near = near > 0.0f ? near : 0.0f;
      db[i] = value + change * (near * near);
      level[i] = silent ? -1e30f : db[i];
    }
    float largest = row_largest(db, n);
    most = largest > most ? largest : most;
  }
  for (size_t i = 0; i < rows * n; i++) {
    float value = levels[i] - most;
    levels[i] = value > -floor ? value : -floor;
  }
}

Status detail_add(const Detail *detail, const float *z, int category, uint64_t seed, Levels *levels, Arena *work) {
  const size_t n = (size_t)levels->bands, used = work->used, frames = (size_t)levels->frames, rows = frames * (size_t)levels->parts;
  if (levels->bands < 1 || levels->frames < 1 || levels->parts < 1) return TS_ARGUMENT;
  float *standard = TAKE(work, float, detail->dims), *drawn = TAKE(work, float, rows * n), *course = TAKE(work, float, 3 * frames);
  float *block = TAKE(work, float, 11 * n + 2 * NOISY_REACH);
  int *lower = TAKE(work, int, n);
  if (standard == NULL || drawn == NULL || course == NULL || block == NULL || lower == NULL) return TS_MEMORY;
  float *after = block + 5 * n + 2 * NOISY_REACH, *found_row = after + 5 * n;
  const Rows work_rows = {block, block + 4 * n, after, after + n, after + 2 * n, after + 3 * n, after + 4 * n, lower};
  float *wanted = course, *found = course + frames, *shift = course + 2 * frames;
  detail_standard(detail, z, standard);
  Status status = detail_at_training_levels(detail, standard, levels, work);
  for (size_t i = 0; i < 2 * frames; i++) course[i] = 0.0f;
  for (int k = 0; k < levels->parts && status == TS_OK; k++) {
    const size_t part_used = work->used, first = (size_t)k * frames;
    Noise noise;
    Part part;
    noise_open(&noise, seed, NOISE_DETAIL, (uint64_t)k, 0, 0);
    status = part_open(detail, standard, levels->bands, levels->frames, &noise, &part, work);
    for (size_t i = 0; i < frames && status == TS_OK; i++) {
      float *out = drawn + (first + i) * n;
      wanted[i] += frame_of(detail, &part, levels->db + (first + i) * n, (int)i, n, &work_rows, out);
      found[i] += detail_power(out, levels->bands, detail->floor, found_row);
    }
    work->used = part_used;
  }
  if (status == TS_OK) {
    detail_course(wanted, wanted, levels->frames);
    detail_course(found, found, levels->frames);
    attack_shifts(detail, detail->attack + detail_row(detail, category) * ATTACK_FRAMES * LEVEL_KNOTS, wanted, found, levels->frames, shift);
    at_zero(detail, drawn, levels->db, shift, rows, levels->frames, n);
  }
  work->used = used;
  return status;
}

size_t detail_work_size(const Detail *detail, int parts, int frames) {
  const size_t n = (size_t)detail->bands, f = (size_t)frames, octaves = 40, blocks = 48 * 64;
  const size_t levels = (size_t)parts * f * n + 2 * n * (f + 4) + n * (4 * FRAME_KNOTS + LEVEL_KNOTS + 3 * octaves + 32);
  const size_t floats = levels + 12 * f + 16 * octaves + (size_t)detail->dims, sharpen = rise_work_size(detail->rise);
  return (floats * sizeof(float) > sharpen ? floats * sizeof(float) : sharpen) + blocks;
}
