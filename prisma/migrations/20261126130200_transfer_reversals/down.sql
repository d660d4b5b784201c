drop table private.transfer_reversal cascade;
