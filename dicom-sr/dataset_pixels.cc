#include "dataset_impl.hh"

#include <cstring>

#include "tags.h"

enum status_code pixels_decode(struct dataset *ds, struct status *st)
{
	DcmXfer syntax(ds->file.getDataset()->getCurrentXfer());
	if (!syntax.isEncapsulated())
		return STATUS_OK;
	DcmDataset *top = dataset_edit(ds);
	if (top->chooseRepresentation(EXS_LittleEndianExplicit, nullptr).bad() ||
	    !top->canWriteXfer(EXS_LittleEndianExplicit))
		return status_fail(st, STATUS_REFUSE,
				   "pixels in %s cannot be decoded: send them uncompressed",
				   syntax.getXferName());
	return STATUS_OK;
}

extern "C" bool dataset_is_lossy(const struct dataset *ds) noexcept
{
	char said[17] = "";
	struct status st = STATUS_INIT;
	if (dataset_get_string(ds, AT(TAG_LossyImageCompression), said, sizeof(said), &st) ==
		STATUS_OK &&
	    strcmp(said, "01") == 0)
		return true;
	return DcmXfer(const_cast<struct dataset *>(ds)->file.getDataset()->getOriginalXfer())
	    .isLossy();
}

/* How stored values lie in their words (PS3.5 8.1.1). */
struct pixel_format {
	size_t rows, columns, frames;
	unsigned allocated, stored, shift;
	bool is_signed;
};

static enum status_code read_format(struct pixel_format &format, const struct dataset *ds,
				    struct status *st)
{
	auto number = [&](uint32_t tag, int64_t fallback) {
		return dataset_get_int(ds, AT(tag), fallback);
	};
	int64_t rows = number(TAG_Rows, 0), columns = number(TAG_Columns, 0);
	int64_t frames = number(TAG_NumberOfFrames, 1), samples = number(TAG_SamplesPerPixel, 1);
	int64_t allocated = number(TAG_BitsAllocated, 0),
		stored = number(TAG_BitsStored, allocated);
	int64_t high = number(TAG_HighBit, stored - 1), sign = number(TAG_PixelRepresentation, 0);

	if (rows < 1 || columns < 1 || rows > 65535 || columns > 65535 || frames < 1 ||
	    frames > 1000000)
		return status_fail(st, STATUS_REFUSE,
				   "impossible image size: %lld rows, %lld columns, %lld frames",
				   static_cast<long long>(rows), static_cast<long long>(columns),
				   static_cast<long long>(frames));
	if (samples != 1)
		return status_fail(st, STATUS_REFUSE, "colour image: %lld samples per pixel",
				   static_cast<long long>(samples));
	if ((allocated != 8 && allocated != 16) || stored < 1 || stored > allocated ||
	    high < stored - 1 || high >= allocated || sign < 0 || sign > 1)
		return status_fail(
		    st, STATUS_REFUSE,
		    "impossible or unsupported pixel format: %lld bits allocated, %lld stored, "
		    "high bit %lld, representation %lld",
		    static_cast<long long>(allocated), static_cast<long long>(stored),
		    static_cast<long long>(high), static_cast<long long>(sign));
	format.rows = static_cast<size_t>(rows);
	format.columns = static_cast<size_t>(columns);
	format.frames = static_cast<size_t>(frames);
	format.allocated = static_cast<unsigned>(allocated);
	format.stored = static_cast<unsigned>(stored);
	format.shift = static_cast<unsigned>(high + 1 - stored);
	format.is_signed = sign == 1;
	return STATUS_OK;
}

/* Bits outside the stored ones may hold anything (overlays once lived there) and are dropped; what
 * is left becomes a number of 16 bits, with or without a sign, and then what the caller wants. */
template <typename Value, typename Word>
static void unpack(Value *values, const Word *words, size_t count,
		   const struct pixel_format &format)
{
	unsigned up = 16 - format.stored - format.shift, down = 16 - format.stored;
	if (format.is_signed)
		for (size_t i = 0; i < count; i++)
			values[i] = static_cast<Value>(static_cast<int16_t>(
			    static_cast<int16_t>(static_cast<uint16_t>(words[i] << up)) >> down));
	else
		for (size_t i = 0; i < count; i++)
			values[i] = static_cast<Value>(
			    static_cast<uint16_t>(static_cast<uint16_t>(words[i] << up) >> down));
}

/* The words of one frame, as they lie in the data set: 8 or 16 bits each. */
struct frame_words {
	struct pixel_format format;
	const Uint8 *bytes;
	const Uint16 *words;
};

static enum status_code find_frame(struct frame_words &found, struct dataset *ds, unsigned frame,
				   size_t count, struct status *st)
{
	struct pixel_format &format = found.format;
	enum status_code code = pixels_decode(ds, st);
	if (code == STATUS_OK)
		code = read_format(format, ds, st);
	if (code != STATUS_OK)
		return code;
	size_t size = format.rows * format.columns;
	if (count != size || frame >= format.frames)
		return status_fail(st, STATUS_REFUSE,
				   "frame %u of %zu values wanted, the image has %zu frames of %zu",
				   frame + 1, count, format.frames, size);
	DcmElement *element = path_element(ds, AT(TAG_PixelData));
	if (!element)
		return status_fail(st, STATUS_REFUSE, "no pixel data");
	size_t needed = size * format.frames * (format.allocated / 8);
	size_t length = element->getLength();
	if (length != needed + (needed & 1))
		return status_fail(st, STATUS_REFUSE,
				   "pixel data hold %zu bytes, %zu rows x %zu columns x "
				   "%zu frames need %zu",
				   length, format.rows, format.columns, format.frames, needed);
	Uint8 *bytes = nullptr;
	Uint16 *words = nullptr;
	if (format.allocated == 8 && element->getUint8Array(bytes).good() && bytes)
		found.bytes = bytes + frame * size;
	else if (format.allocated == 16 && element->getUint16Array(words).good() && words)
		found.words = words + frame * size;
	else
		return status_fail(st, STATUS_REFUSE, "pixel data cannot be read");
	return STATUS_OK;
}

template <typename Value>
static enum status_code get_frame(struct dataset *ds, unsigned frame, Value *values, size_t count,
				  struct status *st) noexcept
{
	return guard(st, [&] {
		struct frame_words found = {};
		enum status_code code = find_frame(found, ds, frame, count, st);
		if (code != STATUS_OK)
			return code;
		if (found.bytes)
			unpack(values, found.bytes, count, found.format);
		else
			unpack(values, found.words, count, found.format);
		return STATUS_OK;
	});
}

extern "C" enum status_code dataset_get_frame(struct dataset *ds, unsigned frame, float *values,
					      size_t count, struct status *st) noexcept
{
	return get_frame(ds, frame, values, count, st);
}

extern "C" enum status_code dataset_get_frame_words(struct dataset *ds, unsigned frame,
						    uint16_t *words, size_t count,
						    struct status *st) noexcept
{
	return get_frame(ds, frame, words, count, st);
}

extern "C" enum status_code dataset_set_pixels_u16(struct dataset *ds, const uint16_t *values,
						   size_t count, struct status *st) noexcept
{
	return guard(st, [&] {
		if (count > UINT32_MAX / 2 - 1)
			return status_fail(st, STATUS_REFUSE,
					   "%zu pixels do not fit into one element", count);
		OFCondition done = dataset_edit(ds)->putAndInsertUint16Array(
		    DCM_PixelData, values, static_cast<unsigned long>(count));
		if (done.bad())
			return status_fail(st, STATUS_BUG, "pixel data cannot be set: %s",
					   done.text());
		return STATUS_OK;
	});
}
