	.section .rodata
	.hidden profile_default_start
	.globl profile_default_start
profile_default_start:
	.incbin DONJON_PROFILE_DEFAULT
	.hidden profile_default_end
	.globl profile_default_end
profile_default_end:
	.hidden profile_guard_start
	.globl profile_guard_start
profile_guard_start:
	.incbin DONJON_PROFILE_GUARD
	.hidden profile_guard_end
	.globl profile_guard_end
profile_guard_end:
	.byte 0
	.section .note.GNU-stack,"",%progbits
