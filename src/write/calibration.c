/*-------------------------------------------------------------------------
 *
 * calibration.c
 *	  Rounding weights to 8 bits by what the model reads.
 *
 *-------------------------------------------------------------------------
 */
#include "write/calibration.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"

#define DAMPING		0.01		/* of the mean of the diagonal, added to all of it */

typedef struct Gathered
{
	float	   *moments;		/* (cols, cols), or NULL for what does not gather */
	size_t		cols;
} Gathered;

struct SrmCalibration
{
	size_t		n_layers;
	bool		has_distances;	/* as of relative positions */
	Gathered   *gathered;		/* (n_layers * SRM_N_WEIGHTS) */
	SrmArena   *arena;
};

/*
 * The map that gathers for all that read the same: values are computed of every token, queries are not.  Where
 * there are relative positions, keys, and queries with them, read distances, too.
 */
static SrmWeightNumber
gatherer_of(SrmWeightNumber map, bool has_distances)
{
	switch (map)
	{
		case SRM_WEIGHT_QUERY:
		case SRM_WEIGHT_KEY:
			return has_distances ? SRM_WEIGHT_KEY : SRM_WEIGHT_VALUE;
		case SRM_WEIGHT_GATE:
			return SRM_WEIGHT_UP;
		default:
			return map;
	}
}

/* Columns of the matrix number i, counted over all layers, if it gathers; else 0 */
static size_t
gathering_cols(const SrmDecoder *decoder, size_t i)
{
	SrmWeightNumber number = (SrmWeightNumber) (i % SRM_N_WEIGHTS);
	const SrmMatrix *matrix;

	if (!srm_weight_is_matrix(number) || gatherer_of(number, decoder->relative.embedding != NULL) != number)
		return 0;
	matrix = srm_weight_matrix(&decoder->layers[i / SRM_N_WEIGHTS], number);
	return matrix->rows == 0 ? 0 : matrix->cols;
}

static bool
check_limit(const SrmDecoder *decoder, size_t limit, SrmStatus *status)
{
	size_t		bytes = 0;
	size_t		largest = 0;

	for (size_t i = 0; i < decoder->n_layers * SRM_N_WEIGHTS; i++)
	{
		size_t		square = gathering_cols(decoder, i) * gathering_cols(decoder, i);

		bytes += square * sizeof(float);
		largest = square > largest ? square : largest;
	}
	/* Of one at a time there is a factor */
	bytes += largest * sizeof(double);
	if (limit == 0 || bytes <= limit)
		return true;
	srm_fail(status, SRM_LIMIT_EXCEEDED, "calibration needs more memory than is allowed");
	srm_fail_detail(status, "It needs %zu MB; the limit is %zu MB.", (bytes >> 20) + 1, limit >> 20);
	return srm_fail_hint(status, "Raise the limit, which is that of training, or do without calibration.");
}

static bool
make_room(SrmCalibration *calibration, const SrmDecoder *decoder, SrmStatus *status)
{
	size_t		n = decoder->n_layers * SRM_N_WEIGHTS;

	calibration->n_layers = decoder->n_layers;
	calibration->has_distances = decoder->relative.embedding != NULL;
	calibration->gathered = srm_arena_array(calibration->arena, n, sizeof(Gathered), status);
	for (size_t i = 0; calibration->gathered != NULL && i < n; i++)
	{
		Gathered   *gathered = &calibration->gathered[i];
		size_t		size;

		*gathered = (Gathered) {.cols = gathering_cols(decoder, i)};
		size = gathered->cols * gathered->cols;
		if (size == 0)
			continue;
		gathered->moments = srm_arena_array(calibration->arena, size, sizeof(float), status);
		if (gathered->moments == NULL)
			return false;
		memset(gathered->moments, 0, size * sizeof(float));
	}
	return calibration->gathered != NULL;
}

SrmCalibration *
srm_calibration_create(const SrmDecoder *decoder, size_t limit, SrmStatus *status)
{
	SrmArena   *arena = check_limit(decoder, limit, status) ? srm_arena_create(status) : NULL;
	SrmCalibration *calibration = arena == NULL ? NULL : srm_arena_array(arena, 1, sizeof(SrmCalibration), status);

	if (calibration != NULL)
	{
		calibration->arena = arena;
		if (make_room(calibration, decoder, status))
			return calibration;
	}
	srm_arena_free(arena);
	return NULL;
}

void
srm_calibration_free(SrmCalibration *calibration)
{
	if (calibration != NULL)
		srm_arena_free(calibration->arena);
}

/* Has matrix number i gather there, or nowhere. */
static void
set_moments(SrmModel *model, size_t i, float *moments)
{
	if (gathering_cols(&model->decoder, i) > 0)
		((SrmMatrix *) srm_weight_matrix(&model->decoder.layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS))->moments = moments;
}

bool
srm_calibration_attach(SrmCalibration *calibration, SrmModel *model, SrmStatus *status)
{
	size_t		n = calibration->n_layers * SRM_N_WEIGHTS;
	bool		fits = model->decoder.n_layers == calibration->n_layers;

	for (size_t i = 0; i < n && fits; i++)
		fits = gathering_cols(&model->decoder, i) == calibration->gathered[i].cols;
	if (!fits)
		return srm_fail(status, SRM_INVALID_MODEL, "model was replaced by one of another size while it was calibrated");
	for (size_t i = 0; i < n; i++)
		set_moments(model, i, calibration->gathered[i].moments);
	return true;
}

void
srm_calibration_detach(SrmModel *model)
{
	for (size_t i = 0; i < model->decoder.n_layers * SRM_N_WEIGHTS; i++)
		set_moments(model, i, NULL);
}

const float *
srm_calibration_find(const SrmCalibration *calibration, size_t layer, SrmWeightNumber map, size_t cols)
{
	const Gathered *gathered;
	double		trace = 0;

	if (layer >= calibration->n_layers)
		return NULL;
	gathered = &calibration->gathered[layer * SRM_N_WEIGHTS + gatherer_of(map, calibration->has_distances)];
	if (gathered->cols != cols)
		return NULL;
	for (size_t i = 0; i < cols; i++)
		trace += gathered->moments[i * cols + i];
	return trace > 0 && isfinite(trace) ? gathered->moments : NULL;
}

/* feedback = the lower triangle of moments, with the diagonal damped, which keeps it positive definite; returns by how much */
static double
copy_damped(double *feedback, const float *moments, size_t n)
{
	double		damping = 0;

	for (size_t i = 0; i < n; i++)
		damping += (double) moments[i * n + i] * DAMPING / (double) n;
	for (size_t i = 0; i < n; i++)
	{
		for (size_t j = 0; j <= i; j++)
			feedback[i * n + j] = moments[i * n + j];
		feedback[i * n + i] += damping;
	}
	return damping;
}

bool
srm_calibration_factor(double *feedback, const float *moments, size_t n, const SrmStop *stop, SrmStatus *status)
{
	double		damping = copy_damped(feedback, moments, n);

	/* The last column first: what it explains of those before it is taken off them */
	for (size_t j = n; j-- > 0;)
	{
		double	   *column = feedback + j * n;	/* U_0j .. U_(j-1)j, times D_j at first */

		if (!srm_continue(stop, status))
			return false;
		column[j] = fmax(column[j], damping); /* it is, but for what sums in f32 lack */
		for (size_t i = 0; i < j; i++)
		{
			double	   *row = feedback + i * n;
			double		share = column[i] / column[j];

			for (size_t k = 0; k <= i; k++)
				row[k] -= share * column[k];
		}
		for (size_t i = 0; i < j; i++)
			column[i] /= column[j];
	}
	return true;
}

/* wanted (SRM_CALIBRATED_ROWS) += what the errors of columns first .. end - 1 ask of a column */
static void
add_feedback(float *wanted, const double *column, const float *errors, size_t first, size_t end)
{
	float		sums[SRM_CALIBRATED_ROWS] = {0};

	for (size_t k = first; k < end; k++)
		for (size_t r = 0; r < SRM_CALIBRATED_ROWS; r++)
			sums[r] += (float) column[k] * errors[k * SRM_CALIBRATED_ROWS + r];
	for (size_t r = 0; r < SRM_CALIBRATED_ROWS; r++)
		wanted[r] += sums[r];
}

/* columns (w.cols, SRM_CALIBRATED_ROWS) = rows of w from first on, zeros for those behind n */
static void
read_columns(float *columns, float *row, const SrmMatrix *w, size_t first, size_t n)
{
	memset(columns, 0, w->cols * SRM_CALIBRATED_ROWS * sizeof(float));
	for (size_t r = 0; r < n; r++)
	{
		srm_matrix_read(w, (first + r) * w->cols, w->cols, row);
		for (size_t j = 0; j < w->cols; j++)
			columns[j * SRM_CALIBRATED_ROWS + r] = row[j];
	}
}

/* The scale of what row r of a group wants to be, wanted (n, SRM_CALIBRATED_ROWS); that of its weights where there is none. */
static float
find_scale(const float *wanted, size_t n, size_t r, float scale)
{
	float		greatest = 0;

	for (size_t j = 0; j < n; j++)
		greatest = fmaxf(greatest, fabsf(wanted[j * SRM_CALIBRATED_ROWS + r]));
	return isfinite(greatest) && isfinite(scale) ? greatest / 127.0f : scale;
}

/* value = wanted in units of a scale; returns what is missing */
static float
round_value(int8_t *value, float wanted, float weight, float scale)
{
	float		rounded = scale > 0 && isfinite(1.0f / scale) ? rintf(wanted / scale) : 0.0f;

	/* What is not a number is the least one */
	rounded = !(rounded >= -127.0f) ? -127.0f : rounded > 127.0f ? 127.0f : rounded;
	*value = (int8_t) rounded;
	return weight - rounded * scale;
}

void
srm_calibration_round(int8_t *values, float *scales, const SrmMatrix *w, size_t first, size_t n,
					  SrmDtype dtype, const double *feedback, float *scratch)
{
	size_t		cols = w->cols;
	size_t		n_scales = srm_scales_count(cols, dtype);
	float	   *errors = scratch + cols;	/* of the columns that are done; behind them, the weights */
	float	   *wanted = errors + cols * SRM_CALIBRATED_ROWS;	/* what they are to be, (cols, SRM_CALIBRATED_ROWS) */

	read_columns(errors, scratch, w, first, n);
	memcpy(wanted, errors, cols * SRM_CALIBRATED_ROWS * sizeof(float));
	for (size_t start = 0; start < cols; start += SRM_SCALE_COLS)
	{
		size_t		end = start + srm_smaller(cols - start, SRM_SCALE_COLS);
		size_t		group = dtype == SRM_W8 ? start / SRM_SCALE_COLS : 0;

		for (size_t j = start; j < end; j++)
			add_feedback(wanted + j * SRM_CALIBRATED_ROWS, feedback + j * cols, errors, 0, start);
		for (size_t r = 0; r < n && dtype == SRM_W8; r++)
			scales[r * n_scales + group] = find_scale(wanted + start * SRM_CALIBRATED_ROWS, end - start, r, scales[r * n_scales + group]);
		for (size_t j = start; j < end; j++)
		{
			float	   *column = errors + j * SRM_CALIBRATED_ROWS;

			add_feedback(wanted + j * SRM_CALIBRATED_ROWS, feedback + j * cols, errors, start, j);
			for (size_t r = 0; r < n; r++)
				column[r] = round_value(&values[r * cols + j], wanted[j * SRM_CALIBRATED_ROWS + r], column[r], scales[r * n_scales + group]);
		}
	}
}
