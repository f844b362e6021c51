#include "association_impl.hh"

namespace
{

/* Hands the fragments of a data set on; never full, never failing. */
class SinkConsumer : public DcmConsumer
{
      public:
	SinkConsumer(association_sink *sink, void *user) : sink_(sink), user_(user)
	{
	}
	OFBool good() const override
	{
		return OFTrue;
	}
	OFCondition status() const override
	{
		return EC_Normal;
	}
	OFBool isFlushed() const override
	{
		return OFTrue;
	}
	offile_off_t avail() const override
	{
		return 1 << 30;
	}
	offile_off_t write(const void *bytes, offile_off_t size) override
	{
		if (size > 0)
			sink_(user_, bytes, static_cast<size_t>(size));
		return size;
	}
	void flush() override
	{
	}

      private:
	association_sink *sink_;
	void *user_;
};

class SinkStream : public DcmOutputStream
{
      public:
	SinkStream(association_sink *sink, void *user)
	    : DcmOutputStream(&consumer_), consumer_(sink, user)
	{
	}

      private:
	SinkConsumer consumer_;
};

void copy_uid(char out[65], const char *uid)
{
	OFStandard::strlcpy(out, uid, 65);
}

} // namespace

enum status_code association_start_network(struct association *a, T_ASC_NetworkRole role,
					   struct status *st)
{
	dcmDisableGethostbyaddr.set(OFTrue);
	OFCondition condition = ASC_initializeNetwork(role, 0, 30, &a->network);
	if (condition.good())
		condition = ASC_setTransportLayer(a->network, &a->layer, 0);
	if (condition.bad())
		return status_fail(st, STATUS_RETRY, "cannot start an association: %s",
				   condition.text());
	return STATUS_OK;
}

enum status_code association_broken(struct association *a, const char *doing,
				    const OFCondition &condition, enum status_code code,
				    struct status *st)
{
	a->wire.closing = true;
	bool by_peer = condition == DUL_PEERABORTEDASSOCIATION || condition == DUL_NETWORKCLOSED;
	if (a->open && !by_peer)
		ASC_abortAssociation(a->dcmtk);
	a->open = false;
	if (a->wire.fault == nullptr && by_peer)
		a->wire.fault = condition == DUL_NETWORKCLOSED ? "the peer closed the connection"
							       : "the peer aborted";
	return a->fail(st, code, doing, condition);
}

static enum status_code reject(struct association *a, enum association_admission admission,
			       struct status *st)
{
	T_ASC_RejectParameters reason = {ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
					 ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED};
	const char *words = "called AE title not recognised";
	if (admission == ASSOCIATION_UNKNOWN_CALLING_AE) {
		reason.reason = ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED;
		words = "calling AE title or address not recognised";
	} else if (admission == ASSOCIATION_OVER_LIMIT) {
		reason.result = ASC_RESULT_REJECTEDTRANSIENT;
		reason.source = ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED;
		reason.reason = ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED;
		words = "too many associations";
	}
	a->wire.closing = true;
	ASC_rejectAssociation(a->dcmtk, &reason);
	a->open = false;
	return status_fail(st, STATUS_REFUSE, "rejected: %s (calling %s, called %s)", words,
			   a->calling_ae, a->called_ae);
}

static void choose_contexts(struct association *a, const struct association_policy *policy)
{
	T_ASC_Parameters *params = a->dcmtk->params;
	int count = ASC_countPresentationContexts(params);
	for (int i = 0; i < count; i++) {
		T_ASC_PresentationContext context;
		if (ASC_getPresentationContext(params, i, &context).bad())
			continue;
		const char *syntaxes[DICOM_MAXTRANSFERSYNTAXES];
		int n = static_cast<int>(context.transferSyntaxCount);
		for (int k = 0; k < n; k++)
			syntaxes[k] = context.proposedTransferSyntaxes[k];
		int chosen = policy->choose(policy->user, context.abstractSyntax, syntaxes, n);
		if (chosen >= 0 && chosen < n)
			ASC_acceptPresentationContext(params, context.presentationContextID,
						      syntaxes[chosen], ASC_SC_ROLE_DEFAULT,
						      OFTrue);
		else
			ASC_refusePresentationContext(params, context.presentationContextID,
						      chosen == ASSOCIATION_NO_SOP_CLASS
							  ? ASC_P_ABSTRACTSYNTAXNOTSUPPORTED
							  : ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
	}
}

static enum status_code negotiate(struct association *a, const struct association_policy *policy,
				  struct status *st)
{
	OFCondition condition = ASC_receiveAssociation(a->network, &a->dcmtk, ASSOCIATION_MAX_PDU);
	if (condition.bad())
		return a->fail(st, STATUS_REFUSE, "no association", condition);
	a->open = true;
	a->wire.requested = true;
	ASC_getAPTitles(a->dcmtk->params, a->calling_ae, sizeof a->calling_ae, a->called_ae,
			sizeof a->called_ae, nullptr, 0);
	enum association_admission admission =
	    policy->admit(policy->user, a->calling_ae, a->called_ae);
	if (admission != ASSOCIATION_ADMIT)
		return reject(a, admission, st);
	choose_contexts(a, policy);
	condition = ASC_acknowledgeAssociation(a->dcmtk);
	return condition.good() ? STATUS_OK
				: a->fail(st, STATUS_REFUSE, "no association", condition);
}

extern "C" enum status_code association_accept(struct association **association, int fd,
					       const struct association_policy *policy,
					       const struct association_limits *limits,
					       struct status *st)
{
	struct association *a = new (std::nothrow) struct association(limits);
	if (a == nullptr) {
		close(fd);
		return status_fail(st, STATUS_RETRY, "association: out of memory");
	}
	enum status_code code = guarded(st, [&] {
		dcmExternalSocketHandle.set(fd);
		enum status_code started = association_start_network(a, NET_ACCEPTOR, st);
		return started == STATUS_OK ? negotiate(a, policy, st) : started;
	});
	if (code == STATUS_OK) {
		*association = a;
	} else {
		association_free(a);
	}
	return code;
}

extern "C" const char *association_calling_ae(const struct association *association)
{
	return association->calling_ae;
}

extern "C" const char *association_called_ae(const struct association *association)
{
	return association->called_ae;
}

static enum status_code understand(struct association *a, enum association_event *event,
				   struct association_store *store, struct status *st)
{
	if (a->request.CommandField == DIMSE_C_ECHO_RQ) {
		*event = ASSOCIATION_ECHO;
		return STATUS_OK;
	}
	if (a->request.CommandField != DIMSE_C_STORE_RQ) {
		char words[64];
		snprintf(words, sizeof words, "command %04x is not supported",
			 static_cast<unsigned>(a->request.CommandField));
		return association_broken(a, words, DIMSE_BADCOMMANDTYPE, STATUS_REFUSE, st);
	}
	T_ASC_PresentationContext context;
	OFCondition condition =
	    ASC_findAcceptedPresentationContext(a->dcmtk->params, a->context, &context);
	if (condition.bad())
		return association_broken(a, "C-STORE", condition, STATUS_REFUSE, st);
	const T_DIMSE_C_StoreRQ &request = a->request.msg.CStoreRQ;
	*event = ASSOCIATION_STORE;
	copy_uid(store->sop_class_uid, request.AffectedSOPClassUID);
	copy_uid(store->sop_instance_uid, request.AffectedSOPInstanceUID);
	copy_uid(store->context_sop_class_uid, context.abstractSyntax);
	copy_uid(store->transfer_syntax_uid, context.acceptedTransferSyntax);
	return STATUS_OK;
}

extern "C" enum status_code association_next(struct association *association,
					     enum association_event *event,
					     struct association_store *store, struct status *st)
{
	struct association *a = association;
	return guarded(st, [&] {
		DcmDataset *detail = nullptr;
		OFCondition condition = DIMSE_receiveCommand(a->dcmtk, DIMSE_BLOCKING, 0,
							     &a->context, &a->request, &detail);
		delete detail;
		if (condition == DUL_PEERREQUESTEDRELEASE) {
			ASC_acknowledgeRelease(a->dcmtk);
			a->open = false;
			*event = ASSOCIATION_RELEASED;
			return STATUS_OK;
		}
		if (condition.bad())
			return association_broken(a, "association ended", condition, STATUS_REFUSE,
						  st);
		return understand(a, event, store, st);
	});
}

extern "C" enum status_code association_receive(struct association *association,
						association_sink *sink, void *user,
						struct status *st)
{
	struct association *a = association;
	return guarded(st, [&] {
		SinkStream stream(sink, user);
		T_ASC_PresentationContextID context = 0;
		OFCondition condition = DIMSE_receiveDataSetInFile(
		    a->dcmtk, DIMSE_BLOCKING, 0, &context, &stream, nullptr, nullptr);
		if (condition.good() && context != a->context)
			condition = DIMSE_BADMESSAGE;
		return condition.good()
			   ? STATUS_OK
			   : association_broken(a, "C-STORE", condition, STATUS_REFUSE, st);
	});
}

extern "C" enum status_code association_answer_echo(struct association *association,
						    struct status *st)
{
	struct association *a = association;
	return guarded(st, [&] {
		OFCondition condition = DIMSE_sendEchoResponse(
		    a->dcmtk, a->context, &a->request.msg.CEchoRQ, STATUS_Success, nullptr);
		return condition.good()
			   ? STATUS_OK
			   : association_broken(a, "C-ECHO", condition, STATUS_REFUSE, st);
	});
}

extern "C" enum status_code association_answer_store(struct association *association,
						     uint16_t dimse_status, const char *comment,
						     struct status *st)
{
	struct association *a = association;
	return guarded(st, [&] {
		const T_DIMSE_C_StoreRQ &request = a->request.msg.CStoreRQ;
		T_DIMSE_C_StoreRSP response = {};
		response.MessageIDBeingRespondedTo = request.MessageID;
		response.DimseStatus = dimse_status;
		response.DataSetType = DIMSE_DATASET_NULL;
		response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
		OFStandard::strlcpy(response.AffectedSOPClassUID, request.AffectedSOPClassUID,
				    sizeof response.AffectedSOPClassUID);
		OFStandard::strlcpy(response.AffectedSOPInstanceUID, request.AffectedSOPInstanceUID,
				    sizeof response.AffectedSOPInstanceUID);
		DcmDataset detail;
		bool has_comment = comment != nullptr && comment[0] != '\0';
		if (has_comment)
			detail.putAndInsertString(DCM_ErrorComment,
						  OFString(comment, 0, 64).c_str());
		OFCondition condition = DIMSE_sendStoreResponse(
		    a->dcmtk, a->context, &request, &response, has_comment ? &detail : nullptr);
		return condition.good()
			   ? STATUS_OK
			   : association_broken(a, "C-STORE", condition, STATUS_REFUSE, st);
	});
}

extern "C" void association_free(struct association *association)
{
	if (association == nullptr)
		return;
	struct status ignored = STATUS_INIT;
	(void)guarded(&ignored, [&] {
		delete association;
		return STATUS_OK;
	});
}
