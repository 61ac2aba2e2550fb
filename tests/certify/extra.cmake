# Its learners have two threads, which wait for each other at barriers. Beside another test on a machine
# with two cores that takes thirty times as long.
set_tests_properties(certify/test_host_state PROPERTIES PROCESSORS 2)
