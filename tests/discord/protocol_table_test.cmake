# cmake -DSCRIPT=protocol_table.sh -DWORK=folder -P this: the table fails for what is not shown to hold.
cmake_minimum_required(VERSION 3.25)
file(MAKE_DIRECTORY ${WORK})
file(WRITE ${WORK}/junit.xml
"<testsuite>
	<testcase name=\"A.One\" classname=\"A.One\" time=\"0.1\" status=\"run\">
	</testcase>
	<testcase name=\"A.Two\" classname=\"A.Two\" time=\"0.1\" status=\"run\">
	</testcase>
	<testcase name=\"B.One\" classname=\"B.One\" time=\"0.1\" status=\"fail\">
	</testcase>
	<testcase name=\"C.One\" classname=\"C.One\" time=\"0.1\" status=\"notrun\">
	</testcase>
</testsuite>
")
function(expect rules result said)
  file(WRITE ${WORK}/rules.tsv "# section, rule, tests\n${rules}\n")
  execute_process(COMMAND bash ${SCRIPT} ${WORK}/rules.tsv ${WORK}/junit.xml RESULT_VARIABLE found OUTPUT_VARIABLE out)
  if(NOT found EQUAL result OR NOT out MATCHES "${said}")
    message(FATAL_ERROR "${rules}: ended with ${found}, not ${result}, or did not say \"${said}\":\n${out}")
  endif()
endfunction()
expect("1\tholds\t^A\\." 0 "holds +2  passed")
expect("1\tis for later\tnot served" 0 "not served\n0 rules, 1 more")
expect("1\tbreaks\t^[AB]\\." 1 "FAILED: B.One")
expect("1\twas not run\t^C\\." 1 "FAILED: C.One")
expect("1\thas no test\t^D\\." 1 "NO TEST")
expect("1\tno tests at all" 1 "not three columns")
