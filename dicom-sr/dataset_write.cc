#include "dataset_impl.hh"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "tags.h"

/* This software in file meta headers (PS3.7 D.3.3.2): a UUID of its own below 2.25. */
static const char implementation_class_uid[] = "2.25.317374929892239970765038620522160152234";
static const char implementation_version[] = "HOLMIA_" HOLMIA_VERSION;

/* ---- set ---- */

static uint32_t last_tag(const struct dataset_path &path)
{
	return path.step[path.count - 1];
}

/* The item that shall hold the last tag; sequences and items on the way are made. */
static DcmItem *make_item(struct dataset *ds, const struct dataset_path &path)
{
	DcmItem *item = dataset_edit(ds);
	for (int i = 0; i + 2 < path.count && item; i += 2) {
		DcmItem *next = nullptr;
		if (item->findOrCreateSequenceItem(DcmTag(tag_key(path.step[i])), next,
						   static_cast<long>(path.step[i + 1]))
			.bad())
			return nullptr;
		item = next;
	}
	return item;
}

/* Runs put(item, tag) on the item of a path and names the attribute when it fails. */
template <typename Put>
static enum status_code set_element(struct dataset *ds, const struct dataset_path &path,
				    struct status *st, Put put)
{
	return guard(st, [&] {
		DcmItem *item = make_item(ds, path);
		OFCondition done =
		    item ? put(item, DcmTag(tag_key(last_tag(path)))) : EC_IllegalCall;
		if (done.bad())
			return status_fail(st, STATUS_BUG, "%s cannot be set: %s",
					   tag_text(last_tag(path)).c_str(), done.text());
		return STATUS_OK;
	});
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if (static_cast<unsigned char>(*text) >= 0x80)
			return false;
	return true;
}

/* All texts and the character set of the data set itself. */
static void recode_all(DcmDataset *top)
{
	std::string set = character_set_of(top);
	if (set == "ISO_IR 192")
		return;
	for (DcmObject *inner = nullptr; (inner = top->nextInContainer(inner)) != nullptr;)
		element_recode(static_cast<DcmElement *>(inner), set);
	top->putAndInsertString(DCM_SpecificCharacterSet, "ISO_IR 192");
}

extern "C" enum status_code dataset_set_string(struct dataset *ds, struct dataset_path path,
					       const char *utf8, struct status *st) noexcept
{
	return set_element(ds, path, st, [&](DcmItem *item, const DcmTag &tag) {
		if (!is_ascii(utf8))
			recode_all(dataset_edit(ds));
		return utf8[0] ? item->putAndInsertString(tag, utf8)
			       : item->insertEmptyElement(tag);
	});
}

extern "C" enum status_code dataset_set_empty(struct dataset *ds, struct dataset_path path,
					      struct status *st) noexcept
{
	return set_element(ds, path, st, [&](DcmItem *item, const DcmTag &tag) {
		return item->insertEmptyElement(tag);
	});
}

extern "C" enum status_code dataset_set_tag(struct dataset *ds, struct dataset_path path,
					    uint32_t tag_value, struct status *st) noexcept
{
	return set_element(ds, path, st, [&](DcmItem *item, const DcmTag &tag) {
		return item->putAndInsertTagKey(tag, tag_key(tag_value));
	});
}

/* A decimal string has at most 16 characters (PS3.5 6.2): of all notations that fit, the closest;
 * of equally close ones the shortest. Where a decimal with far fewer digits lies within rounding of
 * geometry, that one is meant: 3.75000000000082 came from 3.75 and a cosine of twelve digits. */
static std::string decimal_string(double value)
{
	const double rounding = 1e-11;
	const size_t far_fewer = 4;
	std::string best, round;
	double best_error = INFINITY;
	for (std::chars_format format : {std::chars_format::general, std::chars_format::fixed,
					 std::chars_format::scientific}) {
		for (int precision = 0; precision <= 17; precision++) {
			char text[400];
			std::to_chars_result done =
			    std::to_chars(text, text + sizeof(text), value, format, precision);
			size_t length = static_cast<size_t>(done.ptr - text);
			if (done.ec != std::errc() || length > 16)
				continue;
			double back = 0;
			std::from_chars(text, done.ptr, back);
			double error = std::fabs(back - value);
			if (error < best_error || (error <= best_error && length < best.size())) {
				best.assign(text, length);
				best_error = error;
			}
			if (error <= rounding * std::fabs(value) &&
			    (round.empty() || length < round.size()))
				round.assign(text, length);
		}
	}
	return !round.empty() && round.size() + far_fewer <= best.size() ? round : best;
}

static OFCondition put_numbers(DcmItem *item, const DcmTag &tag, const double *values, size_t count)
{
	switch (tag.getEVR()) {
	case EVR_DS: {
		std::string text;
		for (size_t i = 0; i < count; i++)
			text += (i ? "\\" : "") + decimal_string(values[i]);
		return item->putAndInsertString(tag, text.c_str(),
						static_cast<Uint32>(text.size()));
	}
	case EVR_FD:
		return item->putAndInsertFloat64Array(tag, values, count);
	case EVR_FL: {
		std::vector<Float32> narrow(values, values + count);
		return item->putAndInsertFloat32Array(tag, narrow.data(), count);
	}
	default:
		return EC_InvalidVR;
	}
}

extern "C" enum status_code dataset_set_doubles(struct dataset *ds, struct dataset_path path,
						const double *values, size_t count,
						struct status *st) noexcept
{
	for (size_t i = 0; i < count; i++)
		if (!std::isfinite(values[i]))
			return status_fail(st, STATUS_BUG,
					   "(%04x,%04x) cannot hold a value that is not finite",
					   last_tag(path) >> 16, last_tag(path) & 0xFFFF);
	return set_element(ds, path, st, [&](DcmItem *item, const DcmTag &tag) {
		return put_numbers(item, tag, values, count);
	});
}

extern "C" enum status_code dataset_set_double(struct dataset *ds, struct dataset_path path,
					       double value, struct status *st) noexcept
{
	return dataset_set_doubles(ds, path, &value, 1, st);
}

static OFCondition put_integer(DcmItem *item, const DcmTag &tag, int64_t value)
{
	auto fits = [&](int64_t low, int64_t high) { return value >= low && value <= high; };
	switch (tag.getEVR()) {
	case EVR_IS:
	case EVR_DS:
		return fits(INT32_MIN, INT32_MAX)
			   ? item->putAndInsertString(tag, std::to_string(value).c_str())
			   : EC_IllegalParameter;
	case EVR_US:
	case EVR_xs:
		return fits(0, UINT16_MAX)
			   ? item->putAndInsertUint16(tag, static_cast<Uint16>(value))
			   : EC_IllegalParameter;
	case EVR_SS:
		return fits(INT16_MIN, INT16_MAX)
			   ? item->putAndInsertSint16(tag, static_cast<Sint16>(value))
			   : EC_IllegalParameter;
	case EVR_UL:
		return fits(0, UINT32_MAX)
			   ? item->putAndInsertUint32(tag, static_cast<Uint32>(value))
			   : EC_IllegalParameter;
	case EVR_SL:
		return fits(INT32_MIN, INT32_MAX)
			   ? item->putAndInsertSint32(tag, static_cast<Sint32>(value))
			   : EC_IllegalParameter;
	default:
		return EC_InvalidVR;
	}
}

extern "C" enum status_code dataset_set_int(struct dataset *ds, struct dataset_path path,
					    int64_t value, struct status *st) noexcept
{
	return set_element(ds, path, st, [&](DcmItem *item, const DcmTag &tag) {
		return put_integer(item, tag, value);
	});
}

/* The number of the creator's block; reserves the first free one. 0: all are taken. */
static unsigned private_block(DcmItem *item, uint16_t group, const char *creator)
{
	for (unsigned block = 0x10; block <= 0xFF; block++) {
		DcmElement *owner = nullptr;
		DcmTagKey key(group, static_cast<Uint16>(block));
		if (item->findAndGetElement(key, owner).good() &&
		    element_utf8(owner, "") == creator)
			return block;
		if (!owner)
			return item->putAndInsertString(DcmTag(key, EVR_LO), creator).good() ? block
											     : 0;
	}
	return 0;
}

extern "C" enum status_code dataset_set_private(struct dataset *ds, uint16_t group,
						const char *creator, uint8_t element,
						const char *vr, double value,
						struct status *st) noexcept
{
	struct dataset_path path = AT(static_cast<uint32_t>(group) << 16 | element);
	return set_element(ds, path, st, [&](DcmItem *item, const DcmTag &) -> OFCondition {
		unsigned block = private_block(item, group, creator);
		if (block == 0 || !std::isfinite(value))
			return EC_IllegalParameter;
		DcmTag tag(group, static_cast<Uint16>(block << 8 | element));
		tag.setPrivateCreator(creator);
		tag.setVR(DcmVR(vr));
		if (tag.getEVR() == EVR_SS || tag.getEVR() == EVR_US || tag.getEVR() == EVR_IS)
			return put_integer(item, tag, static_cast<int64_t>(value));
		return put_numbers(item, tag, &value, 1);
	});
}

extern "C" enum status_code dataset_copy(struct dataset *to, const struct dataset *from,
					 uint32_t tag, struct status *st) noexcept
{
	return guard(st, [&] {
		DcmElement *element = path_element(from, AT(tag));
		if (!element)
			return STATUS_OK;
		DcmElement *copy = static_cast<DcmElement *>(element->clone());
		element_recode(copy, character_set_of(path_item(from, AT(tag))));
		recode_all(dataset_edit(to));
		OFCondition done = dataset_edit(to)->insert(copy, OFTrue);
		if (done.bad()) {
			delete copy;
			return status_fail(st, STATUS_BUG, "%s cannot be copied: %s",
					   tag_text(tag).c_str(), done.text());
		}
		return STATUS_OK;
	});
}

/* ---- out ---- */

static enum status_code write_encoded(std::vector<uint8_t> &out, DcmDataset *top,
				      E_TransferSyntax syntax, struct status *st)
{
	std::vector<uint8_t> block(1 << 20);
	DcmOutputBufferStream stream(block.data(), static_cast<offile_off_t>(block.size()));
	DcmWriteCache cache;
	OFCondition done;
	top->transferInit();
	do {
		done = top->write(stream, syntax, EET_ExplicitLength, &cache, EGL_withoutGL,
				  EPD_withoutPadding);
		void *ready = nullptr;
		offile_off_t length = 0;
		stream.flushBuffer(ready, length);
		uint8_t *bytes = static_cast<uint8_t *>(ready);
		out.insert(out.end(), bytes, bytes + length);
	} while (done == EC_StreamNotifyClient);
	top->transferEnd();
	if (done.bad())
		return status_fail(st, STATUS_REFUSE, "the data set cannot be encoded: %s",
				   done.text());
	return STATUS_OK;
}

static enum status_code hand_over(const std::vector<uint8_t> &from, uint8_t **bytes, size_t *size)
{
	*bytes = static_cast<uint8_t *>(malloc(from.empty() ? 1 : from.size()));
	if (!*bytes)
		throw std::bad_alloc();
	memcpy(*bytes, from.data(), from.size());
	*size = from.size();
	return STATUS_OK;
}

/* One element of the meta header: always Explicit VR Little Endian (PS3.10 7.1). */
static void meta_element(std::vector<uint8_t> &out, uint8_t element, const char vr[3],
			 std::string value)
{
	bool is_long = strcmp(vr, "OB") == 0;
	if (value.size() % 2)
		value += strcmp(vr, "SH") == 0 ? ' ' : '\0';
	size_t size = value.size();
	out.insert(out.end(),
		   {2, 0, element, 0, static_cast<uint8_t>(vr[0]), static_cast<uint8_t>(vr[1])});
	if (is_long)
		out.insert(out.end(), {0, 0});
	for (int i = 0; i < (is_long ? 4 : 2); i++)
		out.push_back(static_cast<uint8_t>(size >> 8 * i));
	out.insert(out.end(), value.begin(), value.end());
}

static std::string uid_of(DcmDataset *top, const DcmTagKey &tag)
{
	DcmElement *element = nullptr;
	return top->findAndGetElement(tag, element).good() ? element_utf8(element, "") : "";
}

static std::vector<uint8_t> meta_header(DcmDataset *top)
{
	std::vector<uint8_t> meta, out(128, 0);
	meta_element(meta, 0x01, "OB", std::string("\0\1", 2));
	meta_element(meta, 0x02, "UI", uid_of(top, DCM_SOPClassUID));
	meta_element(meta, 0x03, "UI", uid_of(top, DCM_SOPInstanceUID));
	meta_element(meta, 0x10, "UI", UID_LittleEndianExplicitTransferSyntax);
	meta_element(meta, 0x12, "UI", implementation_class_uid);
	meta_element(meta, 0x13, "SH", implementation_version);
	out.insert(out.end(), {'D', 'I', 'C', 'M'});
	std::string length(4, '\0');
	for (int i = 0; i < 4; i++)
		length[static_cast<size_t>(i)] = static_cast<char>(meta.size() >> 8 * i);
	meta_element(out, 0x00, "UL", length);
	out.insert(out.end(), meta.begin(), meta.end());
	return out;
}

extern "C" enum status_code dataset_write_file_memory(struct dataset *ds, uint8_t **bytes,
						      size_t *size, struct status *st) noexcept
{
	*bytes = nullptr;
	return guard(st, [&] {
		enum status_code code = pixels_decode(ds, st);
		if (code != STATUS_OK)
			return code;
		DcmDataset *top = dataset_edit(ds);
		std::vector<uint8_t> out = meta_header(top);
		code = write_encoded(out, top, EXS_LittleEndianExplicit, st);
		return code == STATUS_OK ? hand_over(out, bytes, size) : code;
	});
}

extern "C" enum status_code dataset_write_file(struct dataset *ds, const char *path,
					       struct status *st) noexcept
{
	uint8_t *bytes = nullptr;
	size_t size = 0;
	enum status_code code = dataset_write_file_memory(ds, &bytes, &size, st);
	if (code == STATUS_OK) {
		FILE *file = fopen(path, "wb");
		bool written = file && fwrite(bytes, 1, size, file) == size;
		if ((file && fclose(file) != 0) || !written)
			code = status_fail(st, STATUS_RETRY, "%s: cannot be written", path);
	}
	free(bytes);
	return code;
}

extern "C" enum status_code dataset_encode_elements(struct dataset *ds, bool (*keep)(uint32_t tag),
						    uint8_t **bytes, size_t *size,
						    struct status *st) noexcept
{
	*bytes = nullptr;
	return guard(st, [&] {
		DcmDataset *top = dataset_edit(ds);
		std::string set = character_set_of(top);
		struct status undecodable = STATUS_INIT;
		E_TransferSyntax syntax = EXS_LittleEndianImplicit;
		if (keep(TAG_PixelData) && pixels_decode(ds, &undecodable) != STATUS_OK)
			syntax = top->getCurrentXfer();
		DcmDataset kept;
		for (DcmObject *entry = nullptr;
		     (entry = top->nextInContainer(entry)) != nullptr;) {
			uint32_t tag =
			    static_cast<uint32_t>(entry->getGTag()) << 16 | entry->getETag();
			if (!keep(tag))
				continue;
			DcmElement *copy = static_cast<DcmElement *>(entry->clone());
			element_recode(copy, set);
			if (kept.insert(copy, OFTrue).bad())
				delete copy;
		}
		std::vector<uint8_t> out;
		enum status_code code = write_encoded(out, &kept, syntax, st);
		return code == STATUS_OK ? hand_over(out, bytes, size) : code;
	});
}
